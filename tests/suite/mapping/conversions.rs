//! Values as other types.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, doc};
use serde_json::Value;

use super::{columns_of, for_t, wait_for, with_table};
use crate::scene::wait_completed;
use crate::support::daemon::Builder;
use crate::support::wait::{PATIENCE, eventually};

const EVENTS: &str = "
    CREATE TABLE t (id TEXT PRIMARY KEY, at, live, amount, ratio, total, extra, ref) WITHOUT ROWID;
    INSERT INTO t VALUES
        ('a', '2024-03-01T12:00:00.250+01:00', 'yes', '42', '0.5', '19.90', '{\"tags\": [\"x\", 1], \"deep\": {\"a\": null}}',
         '65927100a59b16a07fd951f0'),
        ('b', 1709290800, 0, 3.0, 7, 12, '[1, 2.5, \"three\"]', X'65927100a59b16a07fd951f0'),
        ('c', NULL, NULL, NULL, NULL, NULL, NULL, NULL)";

fn typed(builder: Builder) -> Builder {
    let types = [
        ("at", "date"),
        ("live", "bool"),
        ("amount", "int"),
        ("ratio", "double"),
        ("total", "decimal"),
        ("extra", "json"),
        ("ref", "objectid"),
    ];
    types.into_iter().fold(builder, |builder, (column, to)| builder.set(&format!("types.{column}"), to))
}

fn decimal(text: &str) -> Bson {
    Bson::Decimal128(text.parse().expect("a decimal"))
}

#[test]
fn each_type_arrives_as_what_it_is_and_null_stays_null() {
    let scene = with_table("types", EVENTS);
    let daemon = typed(for_t(&scene)).start();
    wait_completed(&daemon);
    let id = ObjectId::parse_str("65927100a59b16a07fd951f0").expect("an ObjectId");
    let date = |millis| DateTime::from_millis(millis);
    let expected = [
        doc! {
            "id": "a", "at": date(1_709_290_800_250), "live": true, "amount": 42, "ratio": 0.5,
            "total": decimal("19.90"), "extra": { "tags": ["x", 1], "deep": { "a": null } }, "ref": id,
        },
        doc! {
            "id": "b", "at": date(1_709_290_800_000), "live": false, "amount": 3, "ratio": 7.0,
            "total": decimal("12"), "extra": [1, 2.5, "three"], "ref": id,
        },
        doc! {
            "id": "c", "at": null, "live": null, "amount": null, "ratio": null, "total": null, "extra": null,
            "ref": null,
        },
    ];
    assert_eq!(columns_of(&scene), expected);
    // As the server itself sees it.
    let newer = doc! { "at": { "$gt": date(1_709_290_800_000) }, "total": { "$lt": 20, "$type": "decimal" } };
    assert_eq!(scene.mongo.count_where(&scene.database, "t", newer), 1);
    let null = doc! { "extra.deep.a": { "$type": "null" }, "ref": id };
    assert_eq!(scene.mongo.count_where(&scene.database, "t", null), 1);
}

/// Keys of rejected rows and their reasons.
fn rejected(records: &Value) -> Vec<(String, String)> {
    let records = records["data"]["records"].as_array().expect("a list");
    let text = |record: &Value, name: &str| record[name].as_str().expect("a text").to_owned();
    records.iter().map(|record| (text(record, "key"), text(record, "reason"))).collect()
}

#[test]
fn a_row_that_cannot_be_converted_is_rejected_with_its_reason_and_keeps_nobody_back() {
    let scene = with_table("unlike", EVENTS);
    scene.app.execute(
        "INSERT INTO t (id, at) VALUES ('0', 's3nt1nel'), ('d', 'tomorrow'); INSERT INTO t (id, total) VALUES ('e', 'dear');
         INSERT INTO t (id, extra) VALUES ('f', '{\"a\": 1, \"a\": 2}')",
    );
    let daemon = typed(for_t(&scene)).start();
    let status = wait_completed(&daemon);
    assert_eq!(
        (&status["successful_records"], &status["failed_records"]),
        (&3.into(), &4.into()),
        "{status}"
    );
    assert_eq!(columns_of(&scene).len(), 3);
    let (_, records) = daemon.get("/api/export/records?outcome=rejected");
    let mut reasons = rejected(&records);
    reasons.sort();
    let expected = [
        ("0", r#"column "at" can't be converted to date: it holds a text that isn't one"#),
        ("d", r#"column "at" can't be converted to date: it holds a text that isn't one"#),
        ("e", r#"column "total" can't be converted to decimal: it holds a text that isn't one"#),
        ("f", r#"column "extra" can't be converted to json: it holds JSON with one name twice in an object"#),
    ];
    assert_eq!(reasons, expected.map(|(key, reason)| (key.to_owned(), reason.to_owned())));
    assert!(!records.to_string().contains("s3nt1nel"));
    assert!(daemon.log().all().iter().all(|line| !line.text().contains("s3nt1nel")));
    // It is mended in SQLite, and arrives.
    scene.app.execute("UPDATE t SET at = '2024-01-01' WHERE id = 'd'");
    wait_for(&scene, doc! { "id": "d", "at": DateTime::from_millis(1_704_067_200_000) });
    eventually(PATIENCE, "three rejected rows", || {
        (rejected(&daemon.get("/api/export/records?outcome=rejected").1).len() == 3).then_some(())
    });
}

#[test]
fn a_row_that_cannot_be_converted_is_rejected_whoever_else_is_there() {
    let scene = with_table(
        "unlike_others",
        "CREATE TABLE t (id TEXT PRIMARY KEY, email, at);
         INSERT INTO t VALUES ('a', 'ann@example.org', '2024-01-01'), ('b', 'ben@example.org', '2024-01-01')",
    );
    let daemon = typed(for_t(&scene))
        .set("export.updates", "never")
        .set("export.duplicate_key", vec!["email"])
        .start();
    wait_completed(&daemon);
    // One is a duplicate of another row, one has a copy that isn't to be changed, one is only a duplicate.
    scene.app.execute(
        "BEGIN; INSERT INTO t VALUES ('c', 'ann@example.org', 'tomorrow'), ('d', 'ann@example.org', '2024-01-01');
         UPDATE t SET at = 'yesterday' WHERE id = 'b'; COMMIT",
    );
    let keys = |outcome: &str| {
        let (_, records) = daemon.get(&format!("/api/export/records?outcome={outcome}"));
        let mut keys: Vec<_> = rejected(&records).into_iter().map(|(key, _)| key).collect();
        keys.sort();
        keys
    };
    eventually(PATIENCE, "a duplicate", || (keys("duplicate") == ["d"]).then_some(()));
    eventually(PATIENCE, "two rejected rows", || (keys("rejected") == ["b", "c"]).then_some(()));
    assert_eq!(columns_of(&scene).len(), 2);
}

#[test]
fn a_document_as_deep_as_may_be_arrives_and_can_be_updated() {
    let nested = |leaf: u32| format!("{}{leaf}{}", "{\"a\":".repeat(100), "}".repeat(100));
    let leaf = |leaf: u32| doc! { format!("extra{}", ".a".repeat(100)): leaf };
    let scene = with_table("deep", "CREATE TABLE t (id TEXT PRIMARY KEY, extra)");
    scene.app.execute(&format!("INSERT INTO t VALUES ('a', '{}')", nested(1)));
    let daemon = typed(for_t(&scene)).start();
    // Not read back as a whole: that would take this test's own stack.
    wait_for(&scene, leaf(1));
    scene.app.execute(&format!("UPDATE t SET extra = '{}'", nested(2)));
    wait_for(&scene, leaf(2));
    wait_completed(&daemon);
}

#[test]
fn names_in_json_stay_names_also_in_an_update() {
    let text = |number: u32| format!("{{\"$date\": {number}, \"a.b\": {{\"$set\": [\"$$ROOT\"]}}}}");
    let scene = with_table("json_names", "CREATE TABLE t (id TEXT PRIMARY KEY, extra)");
    scene.app.execute(&format!("INSERT INTO t VALUES ('a', '{}')", text(1)));
    let daemon = typed(for_t(&scene)).start();
    wait_completed(&daemon);
    // Asked of the server: drivers read such names as something else.
    let expected = |number: i32| {
        let names = doc! { "$literal": [
            { "k": "$date", "v": number }, { "k": "a.b", "v": { "$set": ["$$ROOT"] } },
        ] };
        doc! { "$expr": { "$eq": [{ "$objectToArray": "$extra" }, names] } }
    };
    wait_for(&scene, expected(1));
    scene.app.execute(&format!("UPDATE t SET extra = '{}'", text(2)));
    wait_for(&scene, expected(2));
}
