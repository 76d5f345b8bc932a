use super::run;
use crate::scene::Scene;

const COMMANDS: [&str; 10] =
    ["run", "check", "export", "status", "verify", "rollback", "records", "completions", "man", "retry"];

#[test]
fn completions_and_the_man_page_know_every_command() {
    let scene = Scene::new("command_manual");
    let daemon = scene.daemon().prepare();
    for shell in ["bash", "zsh", "fish"] {
        let said = run(&daemon, &["completions", shell]);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
        for command in COMMANDS {
            assert!(said.out.contains(command), "{shell} knows no {command}");
        }
    }
    let said = run(&daemon, &["man"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert!(said.out.contains(".TH mongo-uplink 1") && said.out.contains("Exit codes"), "{said:?}");
    for section in ["COMMAND EXPORT", "COMMAND STATUS", "skip\\-duplicates"] {
        assert!(said.out.contains(section), "{section}: {}", said.out);
    }
}
