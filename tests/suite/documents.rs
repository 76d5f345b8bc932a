//! What a row looks like in MongoDB.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, doc};

use crate::scene::{Scene, wait_completed};
use crate::support::daemon::Daemon;
use crate::support::sqlite::{Inquiry, TABLE};

/// Makes a table of these statements and gives its exported documents by their `original_sqlite_id`.
#[track_caller]
fn exported(test: &str, sql: &str) -> Vec<Document> {
    let scene = Scene::new(test);
    scene.app.execute(sql);
    let daemon = scene.daemon().set("sqlite.table", "t").set("mongodb.collection", "t").start();
    wait_completed(&daemon);
    let mut documents = scene.mongo.find_all(&scene.database, "t");
    documents.sort_by_key(|document| document.get_i32("id").unwrap_or_default());
    documents
}

fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() })
}

#[test]
fn every_storage_class_keeps_its_type_and_no_byte_is_lost() {
    let values: Vec<(&str, Bson)> = vec![
        ("NULL", Bson::Null),
        ("0", Bson::Int32(0)),
        ("2147483647", Bson::Int32(i32::MAX)),
        ("2147483648", Bson::Int64(2_147_483_648)),
        ("-2147483648", Bson::Int32(i32::MIN)),
        ("-2147483649", Bson::Int64(-2_147_483_649)),
        ("9223372036854775807", Bson::Int64(i64::MAX)),
        ("-9223372036854775808", Bson::Int64(i64::MIN)),
        ("1.5", Bson::Double(1.5)),
        ("3.0", Bson::Double(3.0)),
        ("-0.0", Bson::Double(-0.0)),
        ("1e300", Bson::Double(1e300)),
        ("9e999", Bson::Double(f64::INFINITY)),
        ("''", "".into()),
        ("'plain'", "plain".into()),
        ("'0123'", "0123".into()),
        ("'Zoë 漢字 🙂'", "Zoë 漢字 🙂".into()),
        ("'a' || char(0) || 'b'", "a\0b".into()),
        ("'$set'", "$set".into()),
        ("CAST(X'ff00' AS TEXT)", binary(b"\xff\0")),
        ("CAST(X'61c3' AS TEXT)", binary(b"a\xc3")),
        ("X''", binary(b"")),
        ("X'00ff61'", binary(b"\0\xffa")),
    ];
    let rows: Vec<String> = values.iter().map(|(sql, _)| format!("({sql})")).collect();
    let sql =
        format!("CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t (v) VALUES {}", rows.join(", "));
    let documents = exported("classes", &sql);
    assert_eq!(documents.len(), values.len());
    for (document, (sql, expected)) in documents.iter().zip(values) {
        assert_eq!(document.get("v"), Some(&expected), "{sql}");
    }
}

#[test]
fn a_value_is_exported_as_sqlite_stores_it_whatever_the_column_is_declared_as() {
    let documents = exported(
        "declared",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, as_text TEXT, as_string STRING, as_none);
         INSERT INTO t (as_text, as_string, as_none) VALUES
            ('0123', '0123', '0123'), (123, 123, 123), (1.0, 1.0, 1.0), (X'ff', X'ff', X'ff'),
            (NULL, NULL, NULL), ('', '', '')",
    );
    // In a column declared STRING SQLite itself stores what looks like a number as one.
    let expected: [[Bson; 3]; 6] = [
        ["0123".into(), 123.into(), "0123".into()],
        ["123".into(), 123.into(), 123.into()],
        ["1.0".into(), 1.into(), 1.0.into()],
        [binary(b"\xff"), binary(b"\xff"), binary(b"\xff")],
        [Bson::Null, Bson::Null, Bson::Null],
        ["".into(), "".into(), "".into()],
    ];
    assert_eq!(documents.len(), expected.len());
    for (document, expected) in documents.iter().zip(expected) {
        let found = ["as_text", "as_string", "as_none"].map(|name| document.get(name).cloned());
        assert_eq!(found, expected.map(Some));
    }
}

#[test]
fn a_document_has_the_table_s_columns_in_its_order_and_the_documented_metadata() {
    let mut scene = Scene::new("metadata");
    scene.app.insert_inquiries(3);
    let daemon = scene.daemon().set("sqlite.source_id", "shop-7").start();
    let status = wait_completed(&daemon);
    for (number, document) in (0..).zip(scene.documents()) {
        let person = Inquiry::number(number);
        let mut expected = doc! {
            "id": i32::try_from(number).expect("small") + 1, "user_id": person.user_id,
            "parentType": person.parent_type, "schoolType": person.school_type,
            "firstName": person.first_name, "mobile": person.mobile, "email": person.email,
            "city": person.city, "childName": person.child_name, "grade": person.grade,
            "academicYear": person.academic_year, "dateOfBirth": person.date_of_birth,
            "schoolName": person.school_name, "status": person.status, "source": person.source,
            "created_at": &person.created_at, "updated_at": &person.created_at,
        };
        let mut names: Vec<String> = expected.keys().cloned().collect();
        names.insert(0, "_id".to_owned());
        names.push("export_metadata".to_owned());
        assert_eq!(document.keys().cloned().collect::<Vec<_>>(), names);
        expected.insert("_id", document.get_object_id("_id").expect("an ObjectId"));
        let metadata = document.get_document("export_metadata").expect("metadata");
        expected.insert("export_metadata", metadata);
        assert_eq!(document, expected);

        assert_eq!(
            metadata.keys().collect::<Vec<_>>(),
            [
                "exported_at",
                "original_sqlite_id",
                "export_version",
                "export_id",
                "source",
                "content",
                "duplicate_key"
            ]
        );
        let text = |name| metadata.get_str(name).expect("a text");
        assert_eq!(text("original_sqlite_id"), (number + 1).to_string());
        assert_eq!(text("export_version"), "1.0");
        assert_eq!(Some(text("export_id")), status["export_id"].as_str());
        assert_eq!(text("source"), format!("shop-7:inquiries.db:{TABLE}"));
        let at: jiff::Timestamp = text("exported_at").parse().expect("a time");
        assert_eq!(text("exported_at"), format!("{at:.3}"));
        assert!(Some(text("exported_at")) <= status["end_time"].as_str());

        let id = document.get_object_id("_id").expect("an ObjectId");
        let created: jiff::Timestamp = person.created_at.parse().expect("a time");
        assert_eq!(id.timestamp().timestamp_millis(), created.as_millisecond(), "when the row was made");
    }
}

/// Frozen: what was exported by one release must be recognized by every later one.
#[test]
fn the_first_inquiry_of_shop_7_has_this_id_for_ever() {
    let mut scene = Scene::new("frozen");
    scene.app.insert_inquiries(1);
    let daemon = scene.daemon().set("sqlite.source_id", "shop-7").start();
    wait_completed(&daemon);
    let [document] = &scene.documents()[..] else { panic!("one document") };
    let id = document.get_object_id("_id").expect("an ObjectId");
    assert_eq!(id, ObjectId::parse_str("65927100a59b16a07fd951f0").expect("an ObjectId"));
    let metadata = document.get_document("export_metadata").expect("metadata");
    let hex = |name| -> String {
        let bytes = metadata.get_binary_generic(name).expect("bytes");
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    assert_eq!(hex("content"), "a7d5cdf982c42186e1d7e5b52d13a34c");
    assert_eq!(hex("duplicate_key"), "27b9f4f95ff594be17c2066922cd9514");
}

#[test]
fn without_a_configured_source_the_host_is_told_apart_and_its_machine_id_is_not_given_away() {
    let mut scene = Scene::new("host");
    scene.app.insert_inquiries(1);
    let Ok(machine) = std::fs::read_to_string("/etc/machine-id") else { return };
    let daemon: Daemon = scene.daemon().start();
    wait_completed(&daemon);
    let [document] = &scene.documents()[..] else { panic!("one document") };
    let metadata = document.get_document("export_metadata").expect("metadata");
    let source = metadata.get_str("source").expect("a text");
    let (host, place) = source.split_once(':').expect("host and place");
    assert!(host.len() == 16 && host.bytes().all(|byte| byte.is_ascii_hexdigit()), "{source}");
    assert_eq!(place, format!("{}:{TABLE}", scene.app.path().display()));
    assert!(!source.contains(machine.trim()), "{source}");
}
