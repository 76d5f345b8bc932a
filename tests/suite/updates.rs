//! Changed rows: written over their own copies, and over nothing else.

use std::time::Duration;

use mongo_uplink::config::{Mongodb, Secret};
use mongo_uplink::target::{InsertOutcome, Target, Update};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::{Bson, DateTime, Document, doc};

use crate::host::Host;
use crate::support::mongod::{fresh_database, shared_mongod};
use crate::support::runtime::wait_for;
use crate::support::sqlite::{Inquiry, TABLE};
use crate::support::wait::PATIENCE;

/// Hashing is slow in a build for debugging.
const LONG: Duration = Duration::from_secs(60);

const LATER: &str = "2031-01-01T00:00:00.000Z";
const LATEST: &str = "2032-01-01T00:00:00.000Z";

/// A host with `rows` exported rows.
#[track_caller]
fn exported(test: &str, updates: &str, rows: u32) -> Host {
    let mut host = Host::new(test).set("export.updates", updates);
    host.app.insert_inquiries(rows);
    host.start();
    host.wait_outcomes(rows.into(), 0, 0);
    host
}

fn of_row(id: &str) -> Document {
    doc! { "export_metadata.original_sqlite_id": id }
}

#[track_caller]
fn city(host: &Host, id: &str) -> String {
    let found = host.find_one(of_row(id)).expect("one copy");
    found.get_str("city").expect("a text").to_owned()
}

#[track_caller]
fn wait_city(host: &Host, id: &str, city: &str) {
    host.wait("the change to arrive", || {
        host.find_one(doc! { "export_metadata.original_sqlite_id": id, "city": city })
    });
}

/// Changes another row, so that its arrival tells that the change before it was dealt with.
#[track_caller]
fn wait_for_a_later_row(host: &mut Host) {
    host.app.insert_inquiries(1);
    let rows = host.app.count();
    host.wait_outcomes(rows, 0, 0);
}

#[test]
fn fields_that_others_added_to_a_copy_stay() {
    let host = exported("added", "newer", 2);
    let added = doc! { "crm": { "score": 5 }, "export_metadata.seen_by": { "who": "crm" } };
    host.change(of_row("1"), doc! { "$set": added });
    let before = host.find_one(of_row("1")).expect("one copy");
    host.app.execute(&format!("UPDATE {TABLE} SET city = 'Changed', updated_at = '{LATER}' WHERE id = 1"));
    wait_city(&host, "1", "Changed");

    let after = host.find_one(of_row("1")).expect("one copy");
    assert_eq!(after.get_str("updated_at").ok(), Some(LATER));
    assert_eq!(after.get("crm"), Some(&doc! { "score": 5 }.into()));
    let metadata = |document: &Document, name: &str| {
        document.get_document("export_metadata").expect("metadata").get(name).cloned()
    };
    assert_eq!(metadata(&after, "seen_by"), Some(doc! { "who": "crm" }.into()));
    for kept in ["exported_at", "export_id", "source", "original_sqlite_id", "duplicate_key"] {
        assert_eq!(metadata(&after, kept), metadata(&before, kept), "{kept}");
        assert!(metadata(&after, kept).is_some(), "{kept}");
    }
    assert_ne!(metadata(&after, "content"), metadata(&before, "content"));
    assert_eq!(host.documents(), 2);
    host.wait_outcomes(2, 0, 0);
    assert_eq!((host.sums().successful, host.sums().updated), (3, 1));
}

#[test]
fn a_copy_that_is_newer_in_mongodb_stays_and_is_counted() {
    let mut host = exported("newer", "newer", 1);
    host.change(of_row("1"), doc! { "$set": { "city": "Theirs", "updated_at": LATEST } });
    host.app.execute(&format!("UPDATE {TABLE} SET city = 'Ours', updated_at = '{LATER}' WHERE id = 1"));
    let status = host.daemon().wait_status("an export that kept it", |status| status["kept_records"] == 1);
    assert_eq!((&status["skipped_records"], &status["successful_records"]), (&1.into(), &0.into()));
    wait_for_a_later_row(&mut host);
    assert_eq!(city(&host, "1"), "Theirs");
}

#[test]
fn with_equal_times_the_row_wins() {
    let host = exported("equal", "newer", 1);
    host.app.execute(&format!("UPDATE {TABLE} SET city = 'First', updated_at = '{LATER}' WHERE id = 1"));
    wait_city(&host, "1", "First");
    // A second change within the clock's resolution.
    host.app.execute(&format!("UPDATE {TABLE} SET city = 'Second' WHERE id = 1"));
    wait_city(&host, "1", "Second");
}

#[test]
fn a_time_that_cannot_be_compared_does_not_hold_a_row_back() {
    let host = exported("incomparable", "newer", 8);
    let year = |year: i64| DateTime::from_millis((year - 1970) * 31_557_600_000);
    let copies: [(&str, Document); 8] = [
        ("1", doc! { "$unset": { "updated_at": 1 } }),
        ("2", doc! { "$set": { "updated_at": null } }),
        ("3", doc! { "$set": { "updated_at": "next week" } }),
        ("4", doc! { "$set": { "updated_at": 4_102_444_800_i64 } }),
        ("5", doc! { "$set": { "updated_at": year(2020) } }),
        ("6", doc! { "$set": { "updated_at": { "$gt": "" } } }),
        ("7", doc! { "$set": { "updated_at": ["a", null] } }),
        // Newer: the only one that stays.
        ("8", doc! { "$set": { "updated_at": year(2040) } }),
    ];
    for (id, change) in copies {
        host.change(of_row(id), change);
    }
    host.app.execute(&format!("UPDATE {TABLE} SET city = 'Ours', updated_at = '{LATER}'"));
    for id in ["1", "2", "3", "4", "5", "6", "7"] {
        wait_city(&host, id, "Ours");
    }
    host.wait_outcomes(8, 0, 0);
    assert_ne!(city(&host, "8"), "Ours");
    // And rows whose own time says nothing.
    for time in ["NULL", "'soon'", "''", "x'ff'", "17"] {
        host.app.execute(&format!("UPDATE {TABLE} SET city = city || '+', updated_at = {time} WHERE id = 1"));
        let expected = format!("{}+", city(&host, "1"));
        wait_city(&host, "1", &expected);
    }
}

#[test]
fn always_means_always_and_never_means_never() {
    let mut always = exported("always", "always", 1);
    always.change(of_row("1"), doc! { "$set": { "city": "Theirs", "updated_at": LATEST } });
    always.app.execute(&format!("UPDATE {TABLE} SET city = 'Ours', updated_at = '{LATER}' WHERE id = 1"));
    wait_city(&always, "1", "Ours");
    wait_for_a_later_row(&mut always);

    let mut never = exported("never", "never", 1);
    let before = city(&never, "1");
    never.app.execute(&format!("UPDATE {TABLE} SET city = 'Ours', updated_at = '{LATER}' WHERE id = 1"));
    wait_for_a_later_row(&mut never);
    assert_eq!(city(&never, "1"), before);
    assert_eq!(never.documents(), 2);
}

#[test]
fn a_row_that_is_completed_later_ends_as_one_complete_document() {
    let mut host = Host::new("completed");
    host.app.insert([Inquiry { email: None, mobile: None, ..Inquiry::number(1) }]);
    host.start();
    host.wait_outcomes(1, 0, 0);
    let steps = [("mobile", "'0711'"), ("email", "'a@example.org'"), ("city", "'Whole'")];
    for (column, value) in steps {
        host.app.execute(&format!("UPDATE {TABLE} SET {column} = {value}, updated_at = '{LATER}'"));
        host.wait("the step to arrive", || host.find_one(doc! { column: value.trim_matches('\'') }));
    }
    let whole = host.find_one(doc! {}).expect("one document");
    assert_eq!(
        (whole.get_str("mobile").ok(), whole.get_str("email").ok()),
        (Some("0711"), Some("a@example.org"))
    );
    // It has got its place in the unique index on the way.
    assert!(
        whole.get_document("export_metadata").is_ok_and(|metadata| metadata.contains_key("duplicate_key"))
    );
    host.wait_outcomes(1, 0, 0);
    assert_eq!(host.inserted_by_counters(), 1);
}

#[test]
fn a_duplicate_that_gets_another_address_is_exported() {
    let mut host = exported("another", "newer", 1);
    host.app.insert_duplicates(1);
    host.wait_outcomes(1, 1, 0);
    host.app.execute(&format!("UPDATE {TABLE} SET email = 'own@example.org' WHERE id = 2"));
    host.wait_outcomes(2, 0, 0);
    assert_eq!(host.documents(), 2);
}

#[test]
fn the_address_that_a_row_gave_up_is_free_for_somebody_else() {
    let mut host = exported("free", "newer", 2);
    let old = host.find_one(of_row("1")).expect("one copy");
    host.app.execute(&format!(
        "UPDATE {TABLE} SET email = 'moved@example.org', updated_at = '{LATER}' WHERE id = 1"
    ));
    host.wait("the new address", || host.find_one(doc! { "email": "moved@example.org" }));
    let key = |document: &Document| {
        document.get_document("export_metadata").expect("metadata").get("duplicate_key").cloned()
    };
    let moved = host.find_one(of_row("1")).expect("one copy");
    assert!(key(&moved).is_some() && key(&moved) != key(&old));
    host.app.insert([Inquiry::number(77).by_the_person_of(&Inquiry::number(0))]);
    host.wait_outcomes(3, 0, 0);
    assert_eq!(key(&host.find_one(of_row("3")).expect("one copy")), key(&old));

    // Both at once: the address is given up and taken over in the same batch, whichever row comes first.
    let connection = host.app.connection();
    let transaction = connection.transaction().expect("nobody else writes");
    transaction
        .execute_batch(&format!(
            "UPDATE {TABLE} SET email = 'left@example.org', updated_at = '{LATEST}' WHERE id = 3;
             INSERT INTO {TABLE} (id, mobile, email) SELECT 4, mobile, 'moved@example.org' FROM {TABLE} WHERE id = 1;
             INSERT INTO {TABLE} (id, mobile, email) SELECT -1, mobile, email FROM {TABLE} WHERE id = 2;
             UPDATE {TABLE} SET mobile = 'x', updated_at = '{LATEST}' WHERE id IN (1, 2);"
        ))
        .expect("the table as created");
    transaction.commit().expect("nobody else writes");
    host.wait_outcomes(5, 0, 0);
    assert_eq!(host.documents(), 5);
}

#[test]
fn a_recorded_duplicate_is_exported_once_its_document_is_somebody_else_s() {
    let mut host = exported("recorded", "newer", 1);
    host.app.insert_duplicates(1);
    host.wait_outcomes(1, 1, 0);
    host.app.execute(&format!(
        "UPDATE {TABLE} SET email = 'moved@example.org', updated_at = '{LATER}' WHERE id = 1"
    ));
    host.wait_outcomes(2, 0, 0);
    assert_eq!(host.documents(), 2);
}

#[test]
fn an_address_of_another_document_is_written_without_a_place_in_the_index() {
    let host = exported("taken", "newer", 3);
    let second = host.find_one(of_row("2")).expect("one copy");
    let (email, mobile) =
        (second.get_str("email").expect("a text"), second.get_str("mobile").expect("a text"));
    host.app.execute(&format!(
        "UPDATE {TABLE} SET email = '{email}', mobile = '{mobile}', updated_at = '{LATER}' WHERE id = 1"
    ));
    host.wait("both with the address", || (host.find(doc! { "email": email }).len() == 2).then_some(()));
    host.wait_outcomes(3, 0, 0);
    let first = host.find_one(of_row("1")).expect("one copy");
    assert!(!first.get_document("export_metadata").expect("metadata").contains_key("duplicate_key"));
    assert_eq!(host.find_one(of_row("2")), Some(second));
    // Two rows that change places.
    host.app.execute(&format!(
        "UPDATE {TABLE} SET email = (SELECT b.email FROM {TABLE} b WHERE b.id = 5 - {TABLE}.id),
         mobile = 'same', updated_at = '{LATEST}' WHERE id IN (2, 3)"
    ));
    host.wait("both changed", || (host.find(doc! { "mobile": "same" }).len() == 2).then_some(()));
    host.wait_outcomes(3, 0, 0);
}

#[test]
fn a_copy_that_was_deleted_is_inserted_anew_when_its_row_changes() {
    let host = exported("deleted", "newer", 2);
    host.mongo.delete(&host.database, TABLE, of_row("1"));
    host.app.execute(&format!("UPDATE {TABLE} SET city = 'Back', updated_at = '{LATER}' WHERE id = 1"));
    wait_city(&host, "1", "Back");
    assert_eq!(host.documents(), 2);
}

#[test]
fn metadata_that_somebody_destroyed_does_not_stop_an_update() {
    let host = exported("destroyed", "newer", 3);
    let ids = |host: &Host| -> Vec<Bson> {
        host.find(doc! {}).into_iter().filter_map(|mut found| found.remove("_id")).collect()
    };
    let before = ids(&host);
    host.change(of_row("1"), doc! { "$set": { "export_metadata": "gone" } });
    host.change(of_row("2"), doc! { "$unset": { "export_metadata": 1 } });
    host.change(of_row("3"), doc! { "$set": { "export_metadata": [1] } });
    host.app.execute(&format!("UPDATE {TABLE} SET city = 'Changed', updated_at = '{LATER}'"));
    // No condition can be put on what stands inside a list: that one is told, and keeps nobody back.
    host.wait_outcomes(2, 0, 1);
    assert_eq!(host.find(doc! { "city": "Changed" }).len(), 2);
    assert_eq!(ids(&host), before);
}

#[test]
fn names_with_dots_and_dollars_survive_an_update() {
    let host = Host::new("names");
    host.app.execute(&format!(
        "ALTER TABLE {TABLE} ADD COLUMN \"a.b\" TEXT; ALTER TABLE {TABLE} ADD COLUMN \"$c\" TEXT;
         ALTER TABLE {TABLE} ADD COLUMN \"d.$e.0\" TEXT;
         INSERT INTO {TABLE} (id, email, \"a.b\", \"$c\", \"d.$e.0\", updated_at)
         VALUES (1, '$email', '$a', '$$ROOT', 'x', '2024-01-01 00:00:00')"
    ));
    let mut host = host;
    host.start();
    host.wait_outcomes(1, 0, 0);
    host.app.execute(&format!(
        "UPDATE {TABLE} SET \"a.b\" = '$$NOW', \"$c\" = '$city', \"d.$e.0\" = NULL, updated_at = '{LATER}'"
    ));
    let changed = host.wait("the change", || host.find_one(doc! { "updated_at": LATER }));
    assert_eq!(changed.get_str("a.b").ok(), Some("$$NOW"));
    assert_eq!(changed.get_str("$c").ok(), Some("$city"));
    assert_eq!(changed.get("d.$e.0"), Some(&Bson::Null));
    assert_eq!(changed.get_str("email").ok(), Some("$email"));
    assert!(!changed.contains_key("a"));
    host.wait_outcomes(1, 0, 0);
}

#[test]
fn a_row_of_nearly_16_mib_can_change_and_one_that_outgrows_the_limit_is_told() {
    let mut host = exported("large", "newer", 2);
    let fits = 16 * 1024 * 1024 - 4096;
    host.app
        .execute(&format!("UPDATE {TABLE} SET city = zeroblob({fits}), updated_at = '{LATER}' WHERE id = 1"));
    host.wait_for(LONG, "the large value", || {
        let size = doc! { "$eq": [{ "$binarySize": { "$cond": [
        { "$eq": [{ "$type": "$city" }, "binData"] }, "$city", "" ] } }, fits] };
        (host.mongo.count_where(&host.database, TABLE, doc! { "$expr": size }) == 1).then_some(())
    });
    host.app.execute(&format!("UPDATE {TABLE} SET grade = 'Grade 99', updated_at = '{LATEST}' WHERE id = 1"));
    // A comparison of large rows takes long, and the next is due the later; the first after a start is due at once.
    host.daemon().restart();
    host.wait_for(LONG, "a change of the large row", || {
        (host.mongo.count_where(&host.database, TABLE, doc! { "grade": "Grade 99" }) == 1).then_some(())
    });
    host.app.execute(&format!(
        "UPDATE {TABLE} SET city = '' WHERE id = 1; UPDATE {TABLE} SET city = zeroblob(17 * 1024 * 1024) WHERE id = 2"
    ));
    host.app.insert_inquiries(1);
    host.daemon().restart();
    host.wait_outcomes(2, 0, 1);
    assert_eq!(host.documents(), 3, "the copy of before stays");
}

#[test]
fn a_copy_that_changed_after_it_was_looked_at_is_not_written_over() {
    let database = fresh_database("stale");
    let server = shared_mongod();
    let config = Mongodb {
        uri: Secret::new(server.uri()),
        uri_file: None,
        fallback_uris: Vec::new(),
        database: database.clone(),
        collection: TABLE.to_owned(),
        operation_timeout: PATIENCE,
        compressors: Vec::new(),
        idle_disconnect: Duration::from_secs(60),
    };
    let mongo = server.client();
    let row = |id, city: &str, updated: &str, content: u8| {
        let content = mongodb::bson::Binary {
            subtype: mongodb::bson::spec::BinarySubtype::Generic,
            bytes: vec![content; 16],
        };
        let metadata = doc! { "export_id": "export_1", "exported_at": "2024", "content": content };
        let row = doc! { "_id": id, "city": city, "updated_at": updated, "export_metadata": metadata };
        RawDocumentBuf::try_from(&row).expect("valid BSON")
    };
    // What happens to the copy between the look-up and the update, and what it is afterwards.
    let changes = [
        (Some(doc! { "$set": { "updated_at": LATEST, "city": "theirs" } }), "theirs"),
        (Some(doc! { "$unset": { "updated_at": 1 }, "$set": { "city": "theirs" } }), "theirs"),
        (Some(doc! { "$set": { "export_metadata.content": "other", "city": "theirs" } }), "theirs"),
        (Some(doc! { "$set": { "note": "added" } }), "new"),
        (None, "new"),
    ];
    let reached = wait_for(PATIENCE, "updates with stale copies", async move {
        let target = Target::connect(&config, &config.uri, PATIENCE).await.expect("a server");
        let mut reached = Vec::new();
        for (at, (change, expected)) in (1_u8..).zip(changes) {
            let id = ObjectId::from_bytes([at; 12]);
            let (old, new) = (row(id, "old", "2024-01-01T00:00:00Z", 1), row(id, "new", LATER, 2));
            let inserted = target.insert(&[old.as_ref()]).await.expect("a writable server");
            assert_eq!(inserted, [InsertOutcome::Inserted]);
            let seen =
                target.copies(&[id], Some("updated_at")).await.expect("a readable server")[&id].clone();
            if let Some(change) = change {
                mongo
                    .collection(&database, TABLE)
                    .update_one(doc! { "_id": id }, change)
                    .await
                    .expect("written");
            }
            let update = Update {
                id,
                document: &new,
                seen: &seen,
                updated_column: Some("updated_at"),
                with_duplicate_key: false,
            };
            target.update(&[update]).await.expect("a writable server");
            let now = mongo.collection(&database, TABLE).find_one(doc! { "_id": id }).await.expect("read");
            reached.push((now.expect("it is there").get_str("city").expect("a text").to_owned(), expected));
        }
        target.close().await;
        reached
    });
    for (at, (city, expected)) in reached.iter().enumerate() {
        assert_eq!(city, expected, "change {at}");
    }
}
