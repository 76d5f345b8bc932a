//! Has the linker put side by side what a running daemon calls (`packaging/order.txt`), in a release for Linux.
//!
//! What holds: the program is the same, in another order. The kernel maps 16 pages around each that is touched, so that a
//! function here and there keeps all of it resident; see "Where the idle memory is" in benches/README.md. A linker that doesn't
//! take such a script is left alone.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

const NAMES: &str = "packaging/order.txt";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed={NAMES}");
    // A build that isn't idle for months needn't take longer.
    if variable("PROFILE") != "release" || variable("CARGO_CFG_TARGET_OS") != "linux" {
        return Ok(());
    }
    let names = fs::read_to_string(NAMES)
        .map_err(|error| io::Error::new(error.kind(), format!("{NAMES} can't be read: {error}")))?;
    let script = PathBuf::from(variable("OUT_DIR")).join("order.ld");
    fs::write(&script, linker_script(&names))?;
    if is_taken(&script)? {
        println!("cargo:rustc-link-arg-bin=mongo-uplink=-T{}", script.display());
    } else {
        println!(
            "cargo:warning=the linker takes no script that orders functions: an idle daemon needs 3 MiB more"
        );
    }
    Ok(())
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// Whether the linker takes it, whichever it is: it links an empty program. gold and mold don't.
fn is_taken(script: &Path) -> io::Result<bool> {
    let source = script.with_file_name("empty.rs");
    fs::write(&source, "fn main() {}")?;
    let mut compiler = Command::new(variable("RUSTC"));
    compiler.args(["--crate-type", "bin", "--target", &variable("TARGET")]);
    compiler.args(variable("CARGO_ENCODED_RUSTFLAGS").split('\u{1f}').filter(|flag| !flag.is_empty()));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        compiler.arg("-C").arg(format!("linker={}", linker.display()));
    }
    compiler.arg("-C").arg(format!("link-arg=-T{}", script.display()));
    compiler.arg("-o").arg(script.with_file_name("empty")).arg(source);
    Ok(compiler.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
}

/// A script that adds to what the linker does by itself (`INSERT`): a section for these functions before all other code.
pub(crate) fn linker_script(names: &str) -> String {
    let mut script = "SECTIONS {\n.text.called : {\n".to_owned();
    for name in names.lines().filter(|line| !line.starts_with('#')) {
        // Each function has a section of its own, which is called otherwise if a compiler takes it for seldom called or for
        // a start, and again if it is a part or a copy that a compiler made.
        for section in [".text.", ".text.unlikely.", ".text.startup."] {
            let parts = if name.ends_with('*') { String::new() } else { format!(" {section}{name}.*") };
            script += &format!("*({section}{name}{parts})\n");
        }
    }
    script + "}\n}\nINSERT BEFORE .text;\n"
}
