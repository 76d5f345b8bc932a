//! Secrets that systemd hands over.

use std::time::Duration;

use ureq::Agent;

use super::{Stage, UNIT};
use crate::support::booted::on_a_host_of_its_own;

/// What the daemon answers to somebody who shows this.
#[track_caller]
fn status_code(authorization: Option<&str>) -> u16 {
    let config =
        Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).http_status_as_error(false);
    let agent: Agent = config.build().into();
    let request = agent.get("http://127.0.0.1:8000/api/export/status");
    let request = match authorization {
        Some(shown) => request.header("Authorization", shown),
        None => request,
    };
    request.call().expect("the daemon answers").status().as_u16()
}

#[test]
fn credentials_reach_the_service_alone_and_may_be_missing() {
    on_a_host_of_its_own(|host| {
        let stage = Stage::set(host);
        stage.application().insert_inquiries(2);
        let machine = stage.boot("");
        machine.sh("rm /etc/credstore/mongo-uplink.mongodb-uri; systemctl start mongo-uplink");
        // Without one the default holds, and nothing listens there.
        machine.wait_shown(UNIT, "StatusText", |text| text.starts_with("offline (refused)"));
        machine.run(&["systemctl", "stop", UNIT]);

        machine.write("/etc/credstore/mongo-uplink.mongodb-uri", &stage.mongod.uri());
        machine.write("/etc/credstore/mongo-uplink.http-token", "a-token-of-no-meaning\n");
        machine.sh("chmod 600 /etc/credstore/*; systemctl start mongo-uplink");
        stage.wait_count(&machine, 2);
        // Both are in force: who doesn't show the token isn't answered.
        let wanted = Some("Bearer a-token-of-no-meaning");
        assert_eq!((status_code(None), status_code(wanted)), (401, 200));
        let handed_over = "/run/credentials/mongo-uplink.service";
        let names = machine.run(&["ls", handed_over]);
        assert_eq!(names.lines().collect::<Vec<_>>(), ["http-token", "mongodb-uri"]);
        // A command gets them as the README says; without a message bus, but that is for the terminal alone.
        let out = "/var/lib/mongo-uplink/out";
        machine.sh(&format!(
            "systemd-run --quiet --collect --uid=mongo-uplink --working-directory=/var/lib/mongo-uplink \
                 --property=LoadCredential=mongodb-uri:mongo-uplink.mongodb-uri \
                 --property=LoadCredential=http-token:mongo-uplink.http-token \
                 --setenv=MONGO_UPLINK_STATE__DIRECTORY=/var/lib/mongo-uplink \
                 --property=SupplementaryGroups=inquiries --property=Type=oneshot --property=StandardOutput=file:{out} \
                 sh -c 'for command in verify status export; do \
                     /usr/bin/mongo-uplink --config /etc/mongo-uplink/config.toml $command || exit; done'"
        ));
        let said = machine.run(&["cat", out]);
        for part in ["Nothing differs.", "The daemon runs.", "Completed."] {
            assert!(said.contains(part), "no {part:?} in:\n{said}");
        }
        // Root may read everything; somebody else may not.
        let stranger = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "cat"];
        let uri = format!("{handed_over}/mongodb-uri");
        assert!(!machine.try_run(&[&stranger[..], &[&uri]].concat()).status.success());
        let environment =
            machine.sh(&format!("tr '\\0' '\\n' </proc/$(systemctl show -P MainPID {UNIT})/environ"));
        assert!(
            environment.contains("CREDENTIALS_DIRECTORY=") && !environment.contains("mongodb://"),
            "{environment}"
        );
    });
}
