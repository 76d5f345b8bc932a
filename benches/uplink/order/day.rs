//! A day in the daemon's life, watched by valgrind's callgrind: exports, changes, lookers-on, an outage, nights, a restart.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::place::Place;
use crate::support::mongod::Mongod;
use crate::support::sqlite::App;
use crate::support::wait::poll;
use crate::table::{inquiry, scratch};
use crate::uplink::{self, Uplink};

/// The size of the table: several batches of either size, and a ledger that is larger than SQLite's cache.
const ROWS: u32 = 20_000;

/// Changes that the application makes, one by one.
const CHANGES: u32 = 20;

/// The pause between two of them; and, many times over, a night.
const PAUSE: Duration = Duration::from_millis(200);

/// Longer than the connection is kept.
const NIGHT: Duration = Duration::from_secs(12);

/// Under valgrind everything takes fifty times as long.
const PATIENCE: Duration = Duration::from_secs(120);

/// What somebody who keeps an eye on it asks for.
const LOOKS: [&str; 7] = [
    "/",
    "/live",
    "/ready",
    "/metrics",
    "/api/export/connectivity",
    "/api/export/sqlite-data",
    "/favicon.ico",
];

/// And somebody who comes for one answer.
const LAST_LOOK: &str = "GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// What callgrind wrote: one file for each start of the daemon.
pub(super) struct Watched {
    directory: TempDir,
}

impl Watched {
    /// The files' texts.
    pub(super) fn profiles(&self) -> Vec<String> {
        let files = fs::read_dir(self.directory.path()).expect("our own directory");
        let paths = files.map(|file| file.expect("our own directory").path());
        let texts = paths.filter(|path| path.extension().is_some_and(|end| end == "callgrind"));
        texts.map(|path| fs::read_to_string(path).expect("callgrind writes text")).collect()
    }
}

/// How a day differs from another.
pub(super) enum Kind {
    /// Nothing is set that needn't be; exports start by themselves.
    Plain,
    /// As a unit of systemd runs it, for a set of servers; exports are started by hand. And the
    /// application isn't always there.
    Careful,
}

/// Lets a daemon live through it against this server, which is killed in the middle.
pub(super) fn live(mongod: &Mongod, kind: &Kind) -> Watched {
    let (directory, program) = watcher(kind);
    let (_data, path) = scratch("inquiries.db");
    let mut app = App::create(path.parent().expect("a file has a directory"));
    app.insert((1..=ROWS).map(inquiry));
    let place = Place::new(mongod);
    let (uri, automatic) = match kind {
        Kind::Plain => (mongod.uri(), true),
        Kind::Careful => (mongod.uri().replace("directConnection=true", "directConnection=false"), false),
    };
    let daemon = Uplink::settings(app.path(), &uri, &place)
        .set("export.automatic", automatic)
        .set("export.batch_size", 1_000)
        .set("mongodb.idle_disconnect", "2s")
        // It would start itself once more, unwatched.
        .env("MALLOC_CONF", "narenas:1,tcache:false")
        .program(program)
        .prepare();
    let uplink = Uplink { daemon };
    for _ in 0..2 {
        start(&uplink);
        for batch in [1_000, 100] {
            export(&uplink, batch);
        }
        work(&mut app, &uplink);
        if matches!(kind, Kind::Careful) {
            let path = app.path().to_owned();
            app.close();
            night();
            export(&uplink, 1_000);
            app = App::open(&path);
        }
        end(&uplink);
    }
    start(&uplink);
    mongod.kill();
    work(&mut app, &uplink);
    night();
    mongod.launch();
    wait_online(&uplink);
    export(&uplink, 100);
    end(&uplink);
    Watched { directory }
}

fn start(uplink: &Uplink) {
    uplink.daemon.start();
    wait_online(uplink);
}

/// After everything has come to rest.
fn end(uplink: &Uplink) {
    night();
    uplink.daemon.signal(Signal::TERM);
    uplink.daemon.wait_exit(PATIENCE);
}

fn night() {
    poll(NIGHT, || None::<()>);
}

/// The application writes and changes rows, and somebody looks how it goes.
fn work(app: &mut App, uplink: &Uplink) {
    for change in 1..=CHANGES {
        app.insert_inquiries(1);
        app.execute(&format!(
            "UPDATE chat_inquiry_information SET city = 'Ulm', updated_at = datetime('now') WHERE id = {change}"
        ));
        poll(PAUSE, || None::<()>);
    }
    for path in LOOKS {
        uplink.daemon.get_text(path);
    }
    let mut visitor = TcpStream::connect(uplink.daemon.address()).expect("it listens");
    visitor.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    visitor.write_all(LAST_LOOK.as_bytes()).expect("it reads");
    visitor.read_to_end(&mut Vec::new()).expect("it answers and hangs up");
}

/// A manual export, as soon as none is running that began by itself.
fn export(uplink: &Uplink, batch: u16) {
    let path = format!("/api/export/sqlite-to-mongodb?batch_size={batch}&skip_duplicates=true");
    let started = poll(PATIENCE, || {
        let (code, answer) = uplink.daemon.post(&path);
        (code == 200).then_some(answer)
    });
    let started = started.expect("an export ends, so that another one may begin");
    uplink.wait_completed(started["data"]["export_id"].as_str());
}

fn wait_online(uplink: &Uplink) {
    let online = poll(PATIENCE, || {
        let state = uplink.daemon.get("/api/export/connectivity").1["data"]["state"].take();
        (state == "online").then_some(())
    });
    assert!(online.is_some(), "the daemon doesn't find MongoDB; log:\n{}", uplink.daemon.log().tail());
}

/// A program that runs the daemon under callgrind, and the directory that it writes to.
fn watcher(kind: &Kind) -> (TempDir, PathBuf) {
    let (directory, path) = scratch("watched");
    let command = match kind {
        Kind::Plain => "",
        Kind::Careful => " run",
    };
    let script = format!(
        "#!/bin/sh\nexec valgrind --quiet --tool=callgrind --demangle=no --callgrind-out-file='{}/%p.callgrind' '{}' \"$@\"{command}\n",
        directory.path().display(),
        uplink::program().display()
    );
    write_program(&path, &script);
    (directory, path)
}

fn write_program(path: &Path, script: &str) {
    fs::write(path, script).expect("our own directory");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("our own file");
}
