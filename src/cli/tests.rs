//! What the command line takes.

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;
use crate::config::Config;

fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once(&"mongo-uplink").chain(arguments))
}

#[test]
fn a_connection_string_in_the_wrong_place_is_not_quoted() {
    for arguments in
        [&["mongodb://u:s3nt1nel@h"][..], &["run", "mongodb://u:s3nt1nel@h"], &["--mongodb://u:s3nt1nel@h"]]
    {
        let error = without_secrets(parse(arguments).unwrap_err());
        assert_eq!(error.exit_code(), 2);
        let told = format!("{error} {error:?}");
        assert!(told.contains("mongodb.uri_file") && !told.contains("s3nt1nel"), "{told}");
    }
    let told = without_secrets(parse(&["rum"]).unwrap_err()).to_string();
    assert!(told.contains("rum") && told.contains("run"), "{told}");
}

#[test]
fn the_definition_is_sound() {
    <Cli as CommandFactory>::command().debug_assert();
}

#[test]
fn without_a_command_it_runs_and_options_may_stand_on_either_side() {
    for (arguments, is_run, size, table) in [
        (&[][..], true, 100, "chat_inquiry_information"),
        (&["run"], true, 100, "chat_inquiry_information"),
        (&["check"], false, 100, "chat_inquiry_information"),
        (&["--set", "export.batch_size=5"], true, 5, "chat_inquiry_information"),
        (&["check", "--set", "export.batch_size=5"], false, 5, "chat_inquiry_information"),
        (&["--set", "export.batch_size=5", "run", "--set", "sqlite.table=t"], true, 5, "t"),
        (&["--set", "sqlite.table=s", "run", "--set", "sqlite.table=t"], true, 100, "t"),
    ] {
        let cli = parse(arguments).unwrap();
        assert_eq!(matches!(cli.command(), Command::Run(_)), is_run, "{arguments:?}");
        let config = Config::load(&cli.added_to(Sources::default())).unwrap();
        assert_eq!((config.export.batch_size, config.sqlite.table.as_str()), (size, table), "{arguments:?}");
    }
}

#[test]
fn the_file_that_is_named_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own.toml");
    std::fs::write(&path, "[export]\nbatch_size = 7").unwrap();
    let cli = parse(&["--config", path.to_str().unwrap(), "check"]).unwrap();
    let text = configuration(&cli.added_to(Sources::default())).unwrap();
    let line = format!("export.batch_size = 7 (file {})\n", path.display());
    assert!(text.contains(&line) && text.contains("mongodb.uri = [secret] (default)\n"), "{text}");
}

#[test]
fn what_set_is_given_is_shown_nowhere() {
    for assignment in ["mongodb.uri=mongodb://u:s3nt1nel@h", "mongodb.uri:s3nt1nel", "s3nt1nel://u@h"] {
        let cli = parse(&["--set", assignment]).unwrap();
        assert!(!format!("{cli:?}").contains("s3nt1nel"));
        let text = match configuration(&cli.added_to(Sources::default())) {
            Ok(text) => text,
            Err(error) => error.to_string(),
        };
        assert!(!text.contains("s3nt1nel"), "{text}");
    }
}

#[test]
fn only_commands_that_exist_are_taken() {
    for arguments in [&["roll"][..], &["run", "twice"], &["--colour"], &["--config"], &["--set"]] {
        assert_eq!(parse(arguments).unwrap_err().exit_code(), 2, "{arguments:?}");
    }
}

#[test]
fn the_help_teaches_and_the_version_is_told() {
    let help = parse(&["--help"]).unwrap_err();
    assert_eq!((help.kind(), help.exit_code()), (ErrorKind::DisplayHelp, 0));
    let help = help.to_string();
    for part in ["Examples:", "Exit codes:", "78", "MONGO_UPLINK_", "--set", "--config", "check", "run"] {
        assert!(help.contains(part), "{part} isn't in the help:\n{help}");
    }
    let version = parse(&["--version"]).unwrap_err().to_string();
    assert_eq!(version, format!("mongo-uplink {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_records_are_asked_for_with_their_options_on_either_side() {
    for arguments in [
        &["records"][..],
        &["records", "--outcome", "rejected", "--after", "-5", "--limit", "7", "--json"],
        &["records", "retry"],
        &["--set", "export.batch_size=5", "records", "retry", "--set", "sqlite.table=t"],
    ] {
        let cli = parse(arguments).unwrap();
        assert!(matches!(cli.command(), Command::Records(_)), "{arguments:?}");
    }
    let cli =
        parse(&["--set", "export.batch_size=5", "records", "retry", "--set", "sqlite.table=t"]).unwrap();
    let config = Config::load(&cli.added_to(Sources::default())).unwrap();
    assert_eq!((config.export.batch_size, config.sqlite.table.as_str()), (5, "t"));
    for arguments in [
        &["records", "--outcome", "exported"][..],
        &["records", "--after", "nonsense"],
        &["records", "--limit", "0"],
        &["records", "--limit", "1001"],
        &["records", "--json", "retry"],
    ] {
        assert_eq!(parse(arguments).unwrap_err().exit_code(), 2, "{arguments:?}");
    }
}

#[test]
fn records_of_a_daemon_that_never_ran_name_the_key_to_look_at() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("state");
    let set = format!("state.directory={}", place.display());
    for arguments in [&["--set", &set, "records"][..], &["--set", &set, "records", "retry"]] {
        let cli = parse(arguments).unwrap();
        let Command::Records(wanted) = cli.command() else { panic!("another command") };
        let error = records(&cli.added_to(Sources::default()), &wanted).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("state.directory {} holds no ledger", place.display())),
            "{error}"
        );
        assert!(!place.exists(), "nothing is made");
    }
}

#[test]
fn nothing_that_is_said_steers_a_terminal_and_lines_stay_lines() {
    assert_eq!(harmless("one\u{1b}[2J\r\ntwo\u{9b}\n"), "one\u{fffd}[2J\u{fffd}\ntwo\u{fffd}\n");
}

#[test]
fn a_cell_of_a_table_is_cut_and_harmless() {
    assert_eq!(super::cell("a\u{1b}b"), "a\u{fffd}b");
    assert_eq!(super::cell(&"é".repeat(64)), "é".repeat(64));
    assert_eq!(super::cell(&"é".repeat(70_000)), format!("{}…", "é".repeat(64)));
}
