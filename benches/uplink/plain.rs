//! A loop as most people would write it: for each row, is there a document with this e-mail and mobile? If not, insert it.
//! It is given the indexes that make its question quick.

use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::options::{ClientOptions, WriteConcern};

use crate::place::Place;
use crate::support::runtime::{spawn, wait_for};
use crate::support::sqlite::{Inquiry, TABLE};
use crate::table::{PATIENCE, inquiry};

/// Delivers so many rows; tells how long that took.
pub(crate) fn deliver(uri: &str, place: &Place, rows: u32) -> Duration {
    let (uri, database) = (uri.to_owned(), place.database.clone());
    wait_for(PATIENCE, "the plain loop", async move {
        let mut options = ClientOptions::parse(&uri).await.expect("the server's own connection string");
        options.write_concern = Some(WriteConcern::majority());
        let client = Client::with_options(options).expect("valid options");
        let collection = client.database(&database).collection::<Document>(TABLE);
        collection.find_one(doc! {}).await.expect("the server answers");
        let began = Instant::now();
        for number in 1..=rows {
            let row = inquiry(number);
            let person = doc! { "email": &row.email, "mobile": &row.mobile };
            if collection.find_one(person).await.expect("the server answers").is_none() {
                collection.insert_one(document(number, row)).await.expect("nobody else writes");
            }
        }
        let took = began.elapsed();
        spawn(client.shutdown().immediate(true).into_future());
        took
    })
}

/// The row as a document, with the names of the table's columns.
pub(crate) fn document(number: u32, row: Inquiry) -> Document {
    doc! {
        "id": i64::from(number), "user_id": row.user_id, "parentType": row.parent_type,
        "schoolType": row.school_type, "firstName": row.first_name, "mobile": row.mobile, "email": row.email,
        "city": row.city, "childName": row.child_name, "grade": row.grade, "academicYear": row.academic_year,
        "dateOfBirth": row.date_of_birth, "schoolName": row.school_name, "status": row.status,
        "source": row.source, "created_at": row.created_at.clone(), "updated_at": row.created_at,
    }
}
