//! Against sockets that are read, full, or not there.

use std::os::linux::net::SocketAddrExt;
use std::time::Instant;

use super::*;

fn receive(socket: &UnixDatagram) -> String {
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

fn watched(name: &OsStr) -> Notifier {
    Notifier { watchdog_interval: Some(Duration::from_secs(15)), ..Notifier::at(Some(name)) }
}

fn assert_tells_everything(notifier: &Notifier, socket: &UnixDatagram) {
    notifier.ready();
    assert_eq!(receive(socket), "READY=1\n");
    notifier.reloading();
    let told = receive(socket);
    let time = told
        .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
        .and_then(|rest| rest.trim_end().parse::<u64>().ok());
    assert!(time > Some(0), "{told}");
    notifier.status("offline: dns\nREADY=1");
    assert_eq!(receive(socket), "STATUS=offline: dns READY=1\n", "a status can't say anything else");
    notifier.watchdog();
    assert_eq!(receive(socket), "WATCHDOG=1\n");
    notifier.stopping();
    assert_eq!(receive(socket), "STOPPING=1\n");
    notifier.status(&"ü".repeat(5000));
    assert_eq!(receive(socket), format!("STATUS={}\n", "ü".repeat(512)));
    assert_eq!(notifier.failed(), 0);
}

#[test]
fn the_manager_behind_a_path_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    assert_tells_everything(&watched(path.as_os_str()), &socket);
}

#[test]
fn the_manager_behind_an_abstract_name_is_told() {
    let name = format!("mongo-uplink-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    assert_tells_everything(&watched(OsStr::new(&format!("@{name}"))), &socket);
}

#[test]
fn without_a_manager_nothing_happens() {
    for name in [None, Some(OsStr::new(""))] {
        let notifier = Notifier::at(name);
        notifier.ready();
        notifier.watchdog();
        assert_eq!((notifier.failed(), notifier.watchdog_interval()), (0, None));
    }
}

#[test]
fn a_manager_that_is_gone_or_nonsense_is_counted_and_nothing_else() {
    for name in ["/nonexistent/notify", "vsock:2:1234", "relative", &format!("/{}", "x".repeat(200))] {
        let notifier = Notifier::at(Some(OsStr::new(name)));
        notifier.ready();
        assert_eq!(notifier.failed(), 1, "{name}");
    }
}

#[test]
fn a_manager_that_does_not_read_never_makes_us_wait() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let notifier = watched(path.as_os_str());
    let started = Instant::now();
    while notifier.failed() < 100 {
        notifier.watchdog();
        assert!(started.elapsed() < Duration::from_secs(5), "waits for the manager");
    }
    assert_eq!(receive(&socket), "WATCHDOG=1\n");
    notifier.watchdog();
    assert_eq!(notifier.failed(), 100, "it is told again once it reads");
}

#[test]
fn the_watchdog_is_fed_at_a_quarter_of_its_time() {
    assert_eq!(interval(Duration::from_secs(60)), Duration::from_secs(15));
    assert_eq!(interval(Duration::from_micros(1)), Duration::from_millis(1));
}
