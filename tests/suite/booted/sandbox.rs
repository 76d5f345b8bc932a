//! What the service may do: read another user's database, and write nowhere but in its own directories.

use super::{HOME, Stage, UNIT};
use crate::support::booted::on_a_host_of_its_own;

#[test]
fn the_sandbox_reads_a_foreign_wal_database_open_or_closed_and_leaves_nothing_beside_it() {
    on_a_host_of_its_own(|host| {
        let stage = Stage::set(host);
        let mut app = stage.application();
        app.insert_inquiries(5);
        stage.close_to_others();
        let machine = stage.boot("");
        let drop_in = "/etc/systemd/system/mongo-uplink.service.d/test.conf";
        machine.sh(&format!("rm {drop_in}; systemctl daemon-reload; systemctl start {UNIT}"));
        // Without the application's group it is kept out, says so, and waits.
        let told = machine.wait_journal(&["EVENT=source_unavailable"], 1);
        assert!(told["ERROR"].as_str().is_some_and(|text| text.contains("ermission denied")), "{told}");
        assert_eq!(machine.show(UNIT, "ActiveState"), "active");
        assert_eq!(stage.count(), 0);

        machine.write(drop_in, super::DROP_IN);
        machine.sh("systemctl daemon-reload; systemctl restart mongo-uplink");
        stage.wait_count(&machine, 5);
        app.insert_inquiries(5);
        stage.wait_count(&machine, 10);
        machine.run(&["systemctl", "stop", UNIT]);
        app.insert_inquiries(5);
        app.close();
        assert_eq!(machine.run(&["ls", HOME]), "inquiries.db\n");
        machine.run(&["systemctl", "start", UNIT]);
        stage.wait_count(&machine, 15);
        assert_eq!(machine.run(&["ls", HOME]), "inquiries.db\n");
        // And the application goes on as if nothing had been.
        let mut app = stage.application();
        app.insert_inquiries(5);
        stage.wait_count(&machine, 20);
    });
}

#[test]
fn the_sandbox_takes_away_what_the_daemon_does_not_need() {
    on_a_host_of_its_own(|host| {
        let stage = Stage::set(host);
        let machine = stage.boot("");
        // Another program in the very same sandbox.
        let shell = "[Service]\nExecStart=\nExecStart=sh /srv/inquiries/try\nType=oneshot\nRestart=no\nWatchdogSec=0\n";
        machine.write("/etc/systemd/system/mongo-uplink.service.d/try.conf", shell);
        let attempts = "
            may() { if (eval \"$2\") 2>/dev/null >&2; then echo \"$1\"; fi; }
            may 'write state' 'echo x >\"$STATE_DIRECTORY/x\"'
            may 'write runtime' 'echo x >\"$RUNTIME_DIRECTORY/x\"'
            may 'write tmp' 'echo x >/tmp/x'
            may 'write the application' 'echo x >/srv/inquiries/x'
            may 'write etc' 'echo x >/etc/mongo-uplink/x'
            may 'write home' 'echo x >/root/x'
            may 'mount' 'mount -t tmpfs x /tmp'
            may 'namespaces' 'unshare --user true'
            may 'other processes' 'test -e /proc/1/cmdline'
            may 'kernel settings' 'echo 1 >/proc/sys/net/ipv4/ip_forward'
            may 'cores' 'test \"$(ulimit -c)\" != 0'
            may 'other users' 'setpriv --reuid 12345 true'
            grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr '\\t' ' '
            true";
        std::fs::write(stage.home.join("try"), attempts).expect("our own directory");
        stage.close_to_others();
        machine.sh("systemctl daemon-reload; systemctl start mongo-uplink");
        machine.wait_journal(&["-u", UNIT, "--grep", "Seccomp"], 1);
        let entries = machine.journal(&["-u", UNIT, "_TRANSPORT=stdout"]);
        let said: Vec<&str> = entries.iter().filter_map(|entry| entry["MESSAGE"].as_str()).collect();
        let wanted = [
            "write state",
            "write runtime",
            "write tmp",
            "CapEff: 0000000000000000",
            "CapBnd: 0000000000000000",
            "NoNewPrivs: 1",
            "Seccomp: 2",
        ];
        assert_eq!(said, wanted);
        assert!(!machine.path("/tmp/x").exists(), "that was its own /tmp");
    });
}
