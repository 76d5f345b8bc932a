//! Has the linker put side by side what a running daemon calls (`packaging/order.txt`), in a release for Linux.
//!
//! What holds: the program is the same, in another order. The kernel maps 16 pages around each that is touched, so that a
//! function here and there keeps all of it resident; see "Where the idle memory is" in benches/README.md. Where the linker isn't
//! known to take such a script, nothing is done.

use std::path::Path;
use std::{env, fs, io};

const NAMES: &str = "packaging/order.txt";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed={NAMES}");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    // A build that isn't idle for months needn't take longer.
    let release = variable("PROFILE") == "release" && variable("CARGO_CFG_TARGET_OS") == "linux";
    // It takes no `SECTIONS`.
    let mold = variable("CARGO_ENCODED_RUSTFLAGS").contains("mold");
    if release && !mold {
        let script = Path::new(&variable("OUT_DIR")).join("order.ld");
        fs::write(&script, linker_script(&fs::read_to_string(NAMES)?))?;
        println!("cargo:rustc-link-arg-bin=mongo-uplink=-Wl,-T,{}", script.display());
    }
    Ok(())
}

/// A script that adds to what the linker does by itself (`INSERT`): a section for these functions before all other code.
fn linker_script(names: &str) -> String {
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
