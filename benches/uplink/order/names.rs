//! Names of functions: which of them a profile tells of, and what stays of them from one build to the next.

use std::collections::{BTreeSet, HashMap};

/// A hash at the end of a name in the older form of Rust's, as a pattern.
const ANY_HASH: &str = "17h*";

/// The program's own functions that were called, by a file of callgrind's.
///
/// Its format: `fl`, `fn` and `ob` lines give a number and, the first time, a name: `fn=(12) name`; calls name what they call
/// in lines that begin with `c`. See "Callgrind Format Specification" in valgrind's manual.
pub(super) fn called(profile: &str) -> BTreeSet<&str> {
    let (mut names, mut objects) = (HashMap::new(), HashMap::new());
    let (mut called, mut ours) = (BTreeSet::new(), false);
    for line in profile.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        match key {
            // The program itself may be `???`.
            "ob" => ours = !is_library(resolve(&mut objects, value)),
            "cob" => _ = resolve(&mut objects, value),
            "cfn" => _ = resolve(&mut names, value),
            "fn" => {
                // A mark of recursion follows.
                let name = resolve(&mut names, value).split('\'').next().unwrap_or_default();
                if ours && is_symbol(name) {
                    called.insert(name);
                }
            }
            _ => {}
        }
    }
    called
}

fn is_library(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.ends_with(".so") || file.contains(".so.")
}

/// Whether it is a name, and not an address or a remark.
fn is_symbol(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|each| each.is_ascii_alphanumeric() || "_$.@".contains(each))
}

/// The name of `(12) name`, or of `(12)` if it was told before.
fn resolve<'a>(known: &mut HashMap<&'a str, &'a str>, value: &'a str) -> &'a str {
    match value.split_once(' ') {
        Some((number, name)) => {
            known.insert(number, name);
            name
        }
        None => known.get(value).copied().unwrap_or_default(),
    }
}

/// A glob for a symbol's name, in whichever build.
pub(super) fn pattern(name: &str) -> String {
    if name.starts_with("_ZN") {
        let end = name.rfind("17h").unwrap_or(name.len());
        return format!("{}{ANY_HASH}", &name[..end]);
    }
    // Parts and copies that a compiler makes: `name.part.0`, `name.cold`; and versions of a library's.
    let name = name.split(['.', '@']).next().unwrap_or(name);
    if name.starts_with("_R") { without_crates_hashes(name) } else { name.to_owned() }
}

/// In the newer form of Rust's names a crate is `Cs`, its hash in letters and digits, `_`, and its name with its length before.
fn without_crates_hashes(name: &str) -> String {
    let Some((before, after)) = name.split_once("Cs") else { return name.to_owned() };
    let hash = after.find(|each: char| !each.is_ascii_alphanumeric()).unwrap_or(after.len());
    let (hash, rest) = after.split_at(hash);
    match rest.strip_prefix('_').filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit())) {
        Some(rest) => format!("{before}Cs*_{}", without_crates_hashes(rest)),
        // A part of some other name.
        None => format!("{before}Cs{hash}{}", without_crates_hashes(rest)),
    }
}
