//! Functions that a running daemon calls lie side by side in a release: what is kept of their names, and that the linker of this
//! system takes the script that is made of them.

use std::fs;
use std::path::Path;
use std::process::Command;

#[expect(dead_code, reason = "cargo runs the rest of it")]
#[path = "../../build.rs"]
mod build;
#[path = "../../benches/uplink/order/names.rs"]
mod names;

use names::{called, pattern};

const NAMES: &str = include_str!("../../packaging/order.txt");

#[test]
fn of_a_profile_the_programs_own_functions_are_called() {
    let profile = "\
version: 1
ob=(1) /usr/bin/some.software/mongo-uplink
fn=(1) _ZN4main17h0123456789abcdefE
cob=(2) /usr/lib/libc.so.6
cfn=(2) memcpy
cfn=(3) sqlite3_step'2
ob=(2)
fn=(2)
ob=(1)
fn=(3)
fn=(4) 0x0000000000003430
fn=(5) (below main)
";
    let called = called(profile);
    assert_eq!(called.into_iter().collect::<Vec<_>>(), ["_ZN4main17h0123456789abcdefE", "sqlite3_step"]);
}

#[test]
fn of_a_name_stays_what_is_the_same_in_each_build() {
    for (name, kept) in [
        ("_ZN4core3fmt5write17h0123456789abcdefE", "_ZN4core3fmt5write17h*"),
        ("_ZN4core3fmt5write17h0123456789abcdefE.llvm.12", "_ZN4core3fmt5write17h*"),
        ("_RNvNtCs1a2B_3std2io4read", "_RNvNtCs*_3std2io4read"),
        ("_RNvCsabCsde_3std4core_", "_RNvCs*_3std4core_"),
        ("_RNvNtCs1_3std4CssyB2_", "_RNvNtCs*_3std4CssyB2_"),
        ("sqlite3BtreeNext.part.0", "sqlite3BtreeNext"),
        ("malloc@@GLIBC_2.34", "malloc"),
    ] {
        assert_eq!(pattern(name), kept);
    }
}

#[test]
fn all_names_that_are_written_down_can_stand_in_a_script() {
    let names: Vec<&str> = NAMES.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(names.len() > 1_000);
    for name in names {
        let valid = |each: char| each.is_ascii_alphanumeric() || "_$.*".contains(each);
        assert!(name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_'), "{name}");
        assert!(name.chars().all(valid), "{name}");
    }
}

/// Three functions, of which the second isn't called, in the order of their addresses.
#[test]
fn the_linker_puts_them_side_by_side() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str| directory.path().join(name);
    let function = |name: &str| format!("__attribute__((noinline)) int {name}(int x) {{ return x + 1; }}\n");
    let source = ["first", "second", "third"].map(function).concat();
    fs::write(file("program.c"), source + "int main(void) { return first(0) + second(1) + third(2); }\n")
        .expect("our own directory");
    // As many as there are: none of the others' names may keep it from linking.
    fs::write(file("order.ld"), build::linker_script(&format!("{NAMES}third\nfirst\n")))
        .expect("our own directory");
    let script = format!("-T{}", file("order.ld").display());
    let output = Command::new("cc")
        .args(["-O1", "-ffunction-sections", "program.c", "-o", "program", &script])
        .current_dir(directory.path())
        .output()
        .expect("please install gcc");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(addresses(&file("program")), ["third", "first", "second"]);
    let ended = Command::new(file("program")).status().expect("it was linked");
    assert_eq!(ended.code(), Some(6), "it is the same program");
}

fn addresses(program: &Path) -> Vec<String> {
    let output = Command::new("nm").arg("-n").arg(program).output().expect("please install binutils");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = text.lines().filter_map(|line| line.split_whitespace().last());
    names.filter(|name| ["first", "second", "third"].contains(name)).map(str::to_owned).collect()
}
