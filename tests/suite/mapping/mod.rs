//! Tables of other applications, and what the configuration makes of them.

mod changes;
mod columns;
mod conversions;
mod example;

use mongodb::bson::{Document, doc};

use crate::scene::Scene;
use crate::support::daemon::Builder;
use crate::support::wait::{PATIENCE, eventually};

/// A scene with the table `t`, made by these statements.
#[track_caller]
fn with_table(test: &str, sql: &str) -> Scene {
    let scene = Scene::new(test);
    scene.app.execute(sql);
    scene
}

/// A daemon for the table `t`, of which no row is a duplicate.
#[track_caller]
fn for_t(scene: &Scene) -> Builder {
    let daemon = scene.daemon().set("sqlite.table", "t").set("mongodb.collection", "t");
    daemon.set("export.duplicate_key", Vec::<String>::new())
}

/// The documents of the table `t` without their metadata, in the order of the rows' keys.
#[track_caller]
fn columns_of(scene: &Scene) -> Vec<Document> {
    let mut documents = scene.mongo.find_all(&scene.database, "t");
    documents.sort_by_key(|document| {
        let metadata = document.get_document("export_metadata").expect("metadata");
        metadata.get_str("original_sqlite_id").expect("a text").to_owned()
    });
    for document in &mut documents {
        document.remove("_id");
        document.remove("export_metadata");
    }
    documents
}

/// The document of the row with this key.
#[track_caller]
fn document_of(scene: &Scene, key: &str) -> Document {
    let filter = doc! { "export_metadata.original_sqlite_id": key };
    scene.mongo.find(&scene.database, "t", filter).pop().unwrap_or_else(|| panic!("no document of {key}"))
}

/// Waits until a document of the table `t` is as it is to be.
#[track_caller]
fn wait_for(scene: &Scene, filter: Document) {
    let what = format!("a document with {filter}");
    eventually(PATIENCE, &what, || {
        (scene.mongo.count_where(&scene.database, "t", filter.clone()) > 0).then_some(())
    });
}
