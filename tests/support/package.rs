//! The Debian package, made of what `Cargo.toml` tells `cargo deb`, with the program that the tests run.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use figment::Figment;
use figment::providers::{Format as _, Toml};
use serde_json::Value;

use super::daemon::daemon_binary;
use super::privilege::needs;

/// The program as the package's list of files calls it.
const PROGRAM: &str = "target/release/mongo-uplink";

/// Where that list finds what the program writes about itself.
const MANUAL: &str = "target/manual/";

/// A directory in which packages are made, one after the other.
pub struct Workshop {
    directory: PathBuf,
    manifest: Value,
}

impl Workshop {
    /// In an empty directory.
    #[must_use]
    #[track_caller]
    pub fn open(directory: &Path) -> Self {
        needs("dpkg-deb", "dpkg");
        needs("strip", "binutils");
        let manifest = Figment::from(Toml::file_exact(project().join("Cargo.toml")));
        let manifest: Value = manifest.extract().expect("cargo has read it, too");
        let workshop = Self { directory: directory.to_owned(), manifest: manifest["package"].clone() };
        workshop.lay_out();
        workshop
    }

    /// Where a file of the package lies before it is packed.
    pub fn file(&self, path: &str) -> PathBuf {
        self.tree().join(path)
    }

    /// Packs what is laid out under this version; the package's file name.
    #[track_caller]
    pub fn pack(&self, version: &str) -> String {
        let deb = &self.manifest["metadata"]["deb"];
        let control = format!(
            "Package: {}\nVersion: {version}\nArchitecture: {}\nMaintainer: {}\nDepends: {}\nDescription: {}\n",
            text(&self.manifest["name"]),
            said(Command::new("dpkg").arg("--print-architecture")).trim(),
            text(&deb["maintainer"]),
            // What stands for the libraries that the program is linked with.
            text(&deb["depends"]).replace("$auto", "libc6"),
            text(&self.manifest["description"]),
        );
        fs::write(self.file("DEBIAN/control"), control).expect("our own directory");
        let name = format!("{version}.deb");
        let mut command = Command::new("dpkg-deb");
        command.args(["--root-owner-group", "-Zgzip", "-z1", "--build"]);
        said(command.arg(self.tree()).arg(self.directory.join(&name)));
        name
    }

    fn tree(&self) -> PathBuf {
        self.directory.join("tree")
    }

    #[track_caller]
    fn lay_out(&self) {
        let manual = self.directory.join("manual");
        said(Command::new(project().join("packaging/manual")).arg(daemon_binary()).arg(&manual));
        let deb = &self.manifest["metadata"]["deb"];
        for asset in list(&deb["assets"]) {
            let [source, destination, mode] = &list(asset)[..] else { panic!("{asset} isn't an asset") };
            let (source, mut destination) = (text(source), text(destination).to_owned());
            if destination.ends_with('/') {
                destination.push_str(source.rsplit('/').next().unwrap_or(source));
            }
            let place = self.file(&destination);
            fs::create_dir_all(place.parent().expect("a file is in a directory")).expect("our own directory");
            if source == PROGRAM {
                said(Command::new("strip").arg("-o").arg(&place).arg(daemon_binary()));
            } else {
                let written = source.strip_prefix(MANUAL).map(|name| manual.join(name));
                let from = written.unwrap_or_else(|| project().join(source));
                fs::copy(&from, &place).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
            }
            let mode = u32::from_str_radix(text(mode), 8).expect("a mode is octal");
            fs::set_permissions(&place, fs::Permissions::from_mode(mode)).expect("our own file");
        }
        let scripts = project().join(text(&deb["maintainer-scripts"]));
        fs::create_dir(self.file("DEBIAN")).expect("our own directory");
        for script in fs::read_dir(scripts).expect("the maintainer scripts are there") {
            let script = script.expect("a name");
            // With their modes.
            fs::copy(script.path(), self.file("DEBIAN").join(script.file_name())).expect("our own directory");
        }
        let mut names = String::new();
        for name in list(&deb["conf-files"]) {
            writeln!(names, "{}", text(name)).expect("a String takes all");
        }
        fs::write(self.file("DEBIAN/conffiles"), names).expect("our own directory");
    }
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} isn't a text"))
}

#[track_caller]
fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} isn't a list"))
}

#[track_caller]
fn said(command: &mut Command) -> String {
    let output = command.output().expect("the program is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
