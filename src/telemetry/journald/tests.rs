//! Against a socket that is read, stalled, absent or made anew.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;

fn line(message: &str) -> Line {
    let mut line = Line::new(Level::INFO, "mongo_uplink::test");
    line.message = message.to_owned();
    line
}

/// A journal's place, whoever listens there or not.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    (directory, path)
}

fn listen(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

fn receive(socket: &UnixDatagram) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 20];
    let length = socket.recv(&mut buffer).unwrap();
    buffer.truncate(length);
    buffer
}

fn receive_text(socket: &UnixDatagram) -> String {
    String::from_utf8(receive(socket)).unwrap()
}

#[test]
fn an_event_arrives_with_its_fields_under_the_journals_names() {
    let (_directory, path) = place();
    let socket = listen(&path);
    let mut line = line("Export completed");
    line.level = Level::WARN;
    line.event = Some("export_completed".into());
    line.fields = vec![("export_id", "export_1".into()), ("rows", 5.into()), ("ok", true.into())];
    assert_eq!(Journal::new(&path).unwrap().send(&line), Delivery::Sent);
    let expected = format!(
        "MESSAGE=Export completed\nPRIORITY=4\nSYSLOG_IDENTIFIER=mongo-uplink\nTARGET=mongo_uplink::test\n\
         EVENT=export_completed\nMESSAGE_ID={}\nEXPORT_ID=export_1\nROWS=5\nOK=true\n",
        message_id("export_completed")
    );
    assert_eq!(receive_text(&socket), expected);
}

#[test]
fn a_value_of_several_lines_is_sent_with_its_length() {
    let (_directory, path) = place();
    let socket = listen(&path);
    let mut line = line("one");
    line.fields = vec![("note", "a\nPRIORITY=0".into())];
    Journal::new(&path).unwrap().send(&line);
    let mut expected = b"NOTE\n".to_vec();
    expected.extend_from_slice(&12_u64.to_le_bytes());
    expected.extend_from_slice(b"a\nPRIORITY=0\n");
    let datagram = receive(&socket);
    assert!(datagram.ends_with(&expected), "{datagram:?}");
}

#[test]
fn levels_are_syslogs_priorities() {
    let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    assert_eq!(levels.map(priority), ["3", "4", "6", "7", "7"]);
}

#[test]
fn every_name_becomes_one_that_the_journal_takes() {
    for (name, expected) in [
        ("export_id", "EXPORT_ID"),
        ("http.status", "HTTP_STATUS"),
        ("_private", "PRIVATE"),
        ("2nd", "F_2ND"),
        ("größe", "GR__E"),
        ("", "F_"),
        ("___", "F_"),
        ("priority", "F_PRIORITY"),
        ("message_id", "F_MESSAGE_ID"),
    ] {
        assert_eq!(field_name(name), expected, "{name}");
    }
    assert_eq!(field_name(&"1".repeat(200)).len(), 64);
}

#[test]
fn message_ids_never_change() {
    assert_eq!(message_id("export_completed"), "2cde07dea985813d89fc8aee57a6f370");
    assert_ne!(message_id("export_started"), message_id("export_completed"));
    let id = message_id("x");
    assert_eq!((id.len(), &id[12..13]), (32, "8"));
    assert!("89ab".contains(&id[16..17]), "{id}");
}

#[test]
fn a_line_that_is_too_large_loses_the_end_of_its_values_and_arrives() {
    let (_directory, path) = place();
    let socket = listen(&path);
    let journal = Journal::new(&path).unwrap();
    let mut line = line(&"ü".repeat(1_000_000));
    line.fields = (0..40).map(|_| ("field", "x".repeat(100_000).into())).collect();
    assert_eq!(journal.send(&line), Delivery::Sent);
    let text = receive_text(&socket);
    assert!(text.starts_with("MESSAGE=üü"), "{}", &text[..40]);
    assert_eq!(text.matches("\nFIELD=x").count(), 40);
}

#[test]
fn a_stalled_journal_costs_lines_and_no_time_and_is_told_how_many() {
    let (_directory, path) = place();
    let socket = listen(&path);
    let journal = Journal::new(&path).unwrap();
    let started = Instant::now();
    let mut sent = 0_u64;
    while journal.send(&line("into the queue")) == Delivery::Sent {
        sent += 1;
    }
    let dropped = 1 + (0..999).filter(|_| journal.send(&line("lost")) == Delivery::Dropped).count();
    assert_eq!(dropped, 1000);
    assert!(started.elapsed() < Duration::from_secs(5), "sending waits for the journal");

    for _ in 0..sent {
        assert!(receive_text(&socket).contains("MESSAGE=into the queue"));
    }
    assert_eq!(journal.send(&line("after")), Delivery::Sent);
    assert!(receive_text(&socket).contains("MESSAGE=after"));
    let told = receive_text(&socket);
    assert!(told.contains("EVENT=log_lines_dropped") && told.contains("DROPPED=1000"), "{told}");
    assert_eq!(journal.send(&line("again")), Delivery::Sent);
    assert!(receive_text(&socket).contains("MESSAGE=again"), "it is told once");
}

#[test]
fn a_journal_that_comes_later_or_again_is_found() {
    let (_directory, path) = place();
    let journal = Journal::new(&path).unwrap();
    assert_eq!(journal.send(&line("none yet")), Delivery::Absent);
    for round in ["first", "restarted"] {
        let socket = listen(&path);
        assert_eq!(journal.send(&line(round)), Delivery::Sent);
        assert!(receive_text(&socket).contains(round));
        drop(socket);
        assert_eq!(journal.send(&line("refused")), Delivery::Absent);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(journal.send(&line("gone")), Delivery::Absent);
    }
}
