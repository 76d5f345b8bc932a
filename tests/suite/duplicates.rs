//! One document for each person, whoever else writes.

use std::collections::BTreeSet;

use mongodb::bson::{Bson, Document, doc};

use crate::host::Host;
use crate::support::mongod::{Mongod, fresh_database, shared_mongod};
use crate::support::sqlite::{Inquiry, TABLE};

/// E-mail and mobile, absent in one form.
fn person(document: &Document) -> (String, String) {
    let text = |name| document.get_str(name).unwrap_or_default().to_owned();
    (text("email"), text("mobile"))
}

#[test]
fn hosts_that_start_at_once_make_one_document_of_each_person() {
    const HOSTS: u32 = 8;
    const ROWS: u32 = 60;
    for round in 0..3 {
        let database = fresh_database("hosts");
        let server = shared_mongod();
        let mut persons = BTreeSet::new();
        let mut hosts: Vec<Host> = (0..HOSTS)
            .map(|number| {
                let mut host = Host::at(&server.uri(), server.client(), &database)
                    .set("sqlite.source_id", format!("host-{number}"))
                    .set("export.batch_size", 20 + number);
                let mut rows: Vec<Inquiry> = (0..ROWS)
                    .map(|row| {
                        // Each shares half of its persons with the next.
                        let mut inquiry = Inquiry::number(number * ROWS / 2 + row);
                        match row % 6 {
                            0 => inquiry.email = None,
                            1 => inquiry.email = Some(String::new()),
                            2 => inquiry.mobile = None,
                            3 => std::mem::swap(&mut inquiry.email, &mut inquiry.mobile),
                            _ => {}
                        }
                        inquiry
                    })
                    .collect();
                if number % 2 == 1 {
                    rows.reverse();
                }
                persons.extend(rows.iter().map(|row| {
                    (row.email.clone().unwrap_or_default(), row.mobile.clone().unwrap_or_default())
                }));
                host.app.insert(rows);
                host
            })
            .collect();
        for host in &mut hosts {
            host.start();
        }
        for host in &hosts {
            host.wait("an outcome for each row", || {
                let (exported, duplicate, rejected) = host.outcomes();
                assert_eq!(rejected, 0);
                (exported + duplicate == u64::from(ROWS)).then_some(())
            });
        }
        let found = hosts[0].find(doc! {});
        assert_eq!(found.iter().map(person).collect::<BTreeSet<_>>(), persons, "round {round}");
        assert_eq!(found.len(), persons.len(), "round {round}");
        let exported: u64 = hosts.iter().map(|host| host.outcomes().0).sum();
        assert_eq!(exported, persons.len() as u64, "round {round}");
        for host in &hosts {
            host.wait("the end of the export", || {
                (host.daemon().status()["status"] != "running").then_some(())
            });
            assert!(host.daemon().log().all().iter().all(|line| line.event() != Some("export_failed")));
        }
        let counted: u64 = hosts.iter().map(Host::inserted_by_counters).sum();
        assert_eq!(counted, persons.len() as u64, "round {round}");
    }
}

#[test]
fn documents_of_other_programs_count() {
    let mut host = Host::new("others");
    host.insert(doc! { "_id": "text", "email": "text@example.org", "mobile": "0700" });
    host.insert(doc! { "_id": 1, "email": "int32@example.org", "mobile": 700_i32 });
    host.insert(doc! { "_id": 2_i64, "email": "int64@example.org", "mobile": 700_i64 });
    host.insert(doc! { "_id": 3.5, "email": "double@example.org", "mobile": 700.0 });
    host.insert(doc! { "_id": doc! { "a": 1 }, "mobile": "no e-mail field" });
    host.insert(doc! { "_id": 4, "email": "", "mobile": "empty e-mail" });
    host.insert(doc! { "_id": 5, "email": ["array@example.org"], "mobile": "0700" });
    host.insert(doc! { "_id": 6, "email": "big@example.org", "mobile": 1_152_921_504_606_846_976.0 });
    // Two documents of one person are none of ours to judge.
    host.insert(doc! { "_id": 7, "email": "twice@example.org", "mobile": "1" });
    host.insert(doc! { "_id": 8, "email": "twice@example.org", "mobile": "1" });
    host.app.execute(&format!(
        "DROP TABLE {TABLE}; CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY, email, mobile, is_there)"
    ));
    let rows = [
        ("'text@example.org', '0700'", true),
        ("'text@example.org', 700", false),
        ("'int32@example.org', 700", true),
        ("'int32@example.org', '700'", false),
        ("'int32@example.org', '0700'", false),
        ("'int64@example.org', 700", true),
        ("'int64@example.org', 700.0", true),
        ("'double@example.org', 700", true),
        ("'double@example.org', 700.5", false),
        ("NULL, 'no e-mail field'", true),
        ("NULL, 'empty e-mail'", true),
        ("'array@example.org', '0700'", false),
        ("'big@example.org', 1152921504606846976", true),
        ("'big@example.org', 1152921504606846977", false),
        ("'twice@example.org', '1'", true),
        ("'Text@example.org', '0700'", false),
        ("NULL, NULL", false),
        ("NULL, NULL", false),
        ("'', NULL", false),
    ];
    for (values, is_there) in rows {
        host.app
            .execute(&format!("INSERT INTO {TABLE} (email, mobile, is_there) VALUES ({values}, {is_there})"));
    }
    let others = host.documents();
    host.start();
    let there = rows.iter().filter(|(_, is_there)| *is_there).count() as u64;
    let new = rows.len() as u64 - there;
    host.wait("an outcome for each row", || {
        let (exported, duplicate, rejected) = host.outcomes();
        (exported + duplicate + rejected == new + there).then_some(())
    });
    assert_eq!(host.find(doc! { "is_there": 1 }), [], "these are there already");
    host.wait_outcomes(new, there, 0);
    assert_eq!(host.documents(), others + new);
}

#[test]
fn a_user_that_may_only_read_and_write_the_collection_is_enough() {
    let mongod = Mongod::builder().with_login().start();
    let mongo = mongod.client();
    let actions = vec!["find", "insert", "update"];
    let resource = doc! { "db": "db", "collection": TABLE };
    mongo.run(
        "admin",
        doc! {
            "createRole": "writer", "privileges": [{ "resource": resource, "actions": actions }], "roles": [],
        },
    );
    mongo.run("admin", doc! { "createUser": "edge", "pwd": "edge", "roles": ["writer"] });
    let mut host = Host::at(&mongod.uri_as("edge", "edge"), mongo, "db");
    host.app.insert_inquiries(30);
    host.app.insert_duplicates(5);
    host.start();
    host.wait_outcomes(30, 5, 0);
    host.app.execute(&format!(
        "UPDATE {TABLE} SET city = 'Changed', updated_at = '2031-01-01 00:00:00' WHERE id = 3"
    ));
    host.wait("an update", || host.find_one(doc! { "city": "Changed" }));
    for _ in 0..3 {
        host.app.insert_inquiries(1);
        let rows = host.app.count();
        host.wait_outcomes(rows - 5, 5, 0);
    }
    let log = host.daemon().log().all();
    for told_once in ["index_missing", "collection_uuid_unknown"] {
        assert_eq!(log.iter().filter(|line| line.event() == Some(told_once)).count(), 1, "{told_once}");
    }
    let line = log.iter().find(|line| line.event() == Some("index_missing")).expect("it is told");
    assert_eq!(line.field("reason").and_then(|reason| reason.as_str()), Some("not_authorized"));
    assert!(log.iter().all(|line| line.event() != Some("export_failed")));
}

#[test]
fn an_index_that_cannot_be_made_stops_nothing_and_is_not_tried_all_the_time() {
    let mut host = Host::new("existing");
    let key = Bson::Binary(mongodb::bson::Binary {
        subtype: mongodb::bson::spec::BinarySubtype::Generic,
        bytes: vec![7; 16],
    });
    for id in 0..2 {
        host.insert(doc! { "_id": id, "export_metadata": { "duplicate_key": key.clone() } });
    }
    host.mongo.run(
        &host.database,
        doc! { "profile": 2, "filter": { "command.createIndexes": { "$exists": true } } },
    );
    host.app.insert_inquiries(3);
    host.app.insert_duplicates(1);
    host.start();
    host.wait_outcomes(3, 1, 0);
    for _ in 0..4 {
        host.app.insert_inquiries(1);
        let rows = host.app.count();
        host.wait_outcomes(rows - 1, 1, 0);
    }
    host.daemon().wait_log("index_missing");
    let told = host.daemon().log().all();
    assert_eq!(told.iter().filter(|line| line.event() == Some("index_missing")).count(), 1);
    // One for each of the two indexes: a refused one costs the server a scan of the collection.
    let tried = host.mongo.find(&host.database, "system.profile", doc! { "command.createIndexes": TABLE });
    assert!(tried.len() <= 2, "createIndexes was sent {} times: {tried:?}", tried.len());
}

#[test]
fn another_duplicate_key_gets_an_index_of_its_own() {
    let mut host = Host::new("other_key");
    host.app.insert_inquiries(1);
    host.start();
    host.wait_outcomes(1, 0, 0);
    host.daemon().terminate();
    let mut host = host.set("export.duplicate_key", vec!["mobile"]);
    host.start();
    host.app.insert([Inquiry { email: None, ..Inquiry::number(9) }.by_the_person_of(&Inquiry::number(0))]);
    host.wait("both indexes", || {
        let indexes = host.mongo.index_names(&host.database, TABLE);
        (indexes.iter().filter(|name| name.starts_with("mongo_uplink_duplicates")).count() == 2).then_some(())
    });
    assert!(host.daemon().log().all().iter().all(|line| line.event() != Some("index_missing")));
}

#[test]
fn runs_that_skip_duplicates_and_runs_that_do_not_can_be_mixed() {
    let mut host = Host::new("mixed");
    host.app.insert_inquiries(10);
    host.app.insert_duplicates(4);
    host.start();
    host.wait_outcomes(10, 4, 0);
    let all = host.export("skip_duplicates=false");
    assert_eq!((&all["successful_records"], &all["skipped_records"]), (&4.into(), &10.into()));
    host.wait_outcomes(14, 0, 0);
    host.app.insert_duplicates(2);
    host.wait_outcomes(14, 2, 0);
    let again = host.export("skip_duplicates=true");
    assert_eq!((&again["successful_records"], &again["duplicate_records"]), (&0.into(), &2.into()));
    host.wait_outcomes(14, 2, 0);
    host.export("skip_duplicates=false");
    host.export("skip_duplicates=false");
    host.wait_outcomes(16, 0, 0);
    assert_eq!((host.documents(), host.inserted_by_counters()), (16, 16));
}

#[test]
fn duplicates_anywhere_in_a_batch_keep_nobody_back() {
    let mut host = Host::new("anywhere").set("export.batch_size", 20);
    for place in [0, 10, 19] {
        let known = Inquiry::number(1_000 + place);
        host.insert(doc! { "_id": place, "email": known.email.clone(), "mobile": known.mobile.clone() });
    }
    let rows = (0..20).map(|row| {
        if [0, 10, 19].contains(&row) { Inquiry::number(1_000 + row) } else { Inquiry::number(row) }
    });
    host.app.insert(rows);
    host.start();
    host.wait_outcomes(17, 3, 0);
    let status = host.daemon().wait_status("the end", |status| status["status"] == "completed");
    assert_eq!((&status["successful_records"], &status["duplicate_records"]), (&17.into(), &3.into()));
    assert_eq!(host.documents(), 20);
}

#[test]
fn the_next_of_the_same_person_is_exported_if_the_first_is_refused() {
    let mut host = Host::new("chain").set("export.batch_size", 50);
    host.mongo.run(&host.database, doc! { "create": TABLE, "validator": { "city": { "$ne": "Refused" } } });
    let person = Inquiry::number(0);
    let rows = (0..30).map(|row| {
        let mut inquiry = Inquiry::number(row).by_the_person_of(&person);
        inquiry.city = if row < 12 { "Refused" } else { "Taken" }.to_owned();
        inquiry
    });
    host.app.insert(rows);
    host.start();
    host.wait_outcomes(1, 17, 12);
    assert_eq!(host.documents(), 1);
}

#[test]
fn a_unique_index_on_changed_columns_does_not_make_strangers_duplicates() {
    let mut host = Host::new("strangers");
    host.app.insert_inquiries(1);
    host.start();
    host.wait_outcomes(1, 0, 0);
    // Somebody corrects the document's columns; its place in the index is still the old person's.
    host.change(doc! {}, doc! { "$set": { "email": "corrected@example.org" } });
    host.app.insert([Inquiry::number(5).by_the_person_of(&Inquiry::number(0))]);
    host.wait_outcomes(2, 0, 0);
    assert_eq!(host.documents(), 2);
}

#[test]
fn addresses_larger_than_a_command_may_be_stop_nobody() {
    let mut host = Host::new("large_keys").set("export.batch_size", 1_000);
    host.app.insert_inquiries(2);
    // Together they are more than one query may hold.
    host.app.execute(&format!(
        "UPDATE {TABLE} SET email = printf('%.*c', 4000000, 'a') WHERE id = 1;
         UPDATE {TABLE} SET email = printf('%.*c', 9000000, 'b'), mobile = printf('%.*c', 5000000, 'b') WHERE id = 2"
    ));
    host.app.insert_inquiries(5);
    host.start();
    host.wait_outcomes(7, 0, 0);
    assert_eq!(host.documents(), 7);
}
