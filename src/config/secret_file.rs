//! Which of the possible sources a secret is taken from, and reading it again out of a file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::load::{Found, Settings};
use super::rule::{Rule, Setting};
use super::{Origin, Problem, Secret, Shown, Sources, file};

/// A secret that may be given as it is, in a file, or by the service manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) key: &'static str,
    pub(super) file: &'static str,
    /// The name of the systemd credential.
    credential: &'static str,
    what: &'static str,
}

/// The connection string.
pub(super) const URI: Kind = Kind {
    key: "mongodb.uri",
    file: "mongodb.uri_file",
    credential: "mongodb-uri",
    what: "a connection string",
};

/// What clients of the HTTP server must show.
pub(super) const TOKEN: Kind =
    Kind { key: "http.token", file: "http.token_file", credential: "http-token", what: "a token" };

impl Kind {
    /// What may stand in a file, where nothing is no way to leave it out.
    fn check(self, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Err("is empty".into());
        }
        let rule = if self == URI { Rule::Uri } else { Rule::Token };
        rule.check(&text.into()).map(drop)
    }

    /// The secret in a file, without the line's end. The path may be a secret that was put into the wrong key, so
    /// that it isn't told: its origin is.
    fn read(self, path: &Path, key: &str, origin: &Origin) -> Result<String, Problem> {
        let problem = |what: String| Problem {
            value: Some("[secret]".into()),
            ..Problem::new(key, origin, what)
                .allowed(format!("a readable file that holds {} and nothing else", self.what))
        };
        let text =
            file::read(path).map_err(|error| problem(format!("names a file that can't be read: {error}")))?;
        let text = without_line_end(&text);
        match self.check(text) {
            Ok(()) => Ok(text.to_owned()),
            Err(what) => Err(problem(format!("names a file whose content {what}"))),
        }
    }

    /// The credential that systemd hands to the service, if it does.
    fn of_manager(self, sources: &Sources) -> Result<Option<(String, String, Origin)>, Problem> {
        let Some(directory) = sources.variable("CREDENTIALS_DIRECTORY") else { return Ok(None) };
        let path = PathBuf::from(directory).join(self.credential);
        if matches!(path.metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        let origin = Origin::Credential(path.clone());
        let text = self.read(&path, self.key, &origin)?;
        // systemd's own path is text; should it not be, what was read at the start holds.
        Ok(Some((text, path.to_str().unwrap_or_default().to_owned(), origin)))
    }

    fn resolve(self, sources: &Sources, settings: &mut Settings) -> Result<(), Problem> {
        let (secret, file) = (&settings[self.key], &settings[self.file]);
        let is_set = matches!(&file.setting, Setting::Text(path) if !path.is_empty());
        if is_set && secret.shown.origin.is_level_with(&file.shown.origin) {
            let what = format!("is set together with {}", self.file);
            return Err(
                Problem::new(self.key, &secret.shown.origin, what).allowed("one of the two in one source")
            );
        }
        let found = match &file.setting {
            Setting::Text(path) if is_set && file.shown.origin > secret.shown.origin => {
                let text = self.read(Path::new(path), self.file, &file.shown.origin)?;
                Some((text, path.clone(), file.shown.origin.clone()))
            }
            _ if secret.shown.origin == Origin::Default => self.of_manager(sources)?,
            _ => None,
        };
        let mut from_file = String::new();
        if let Some((text, path, origin)) = found {
            let shown = Shown { key: self.key.into(), value: "[secret]".into(), origin };
            settings.insert(self.key.into(), Found { setting: Setting::Text(text), shown });
            from_file = path;
        }
        if let Some(file) = settings.get_mut(self.file) {
            file.setting = Setting::Text(from_file);
        }
        Ok(())
    }
}

/// A file with a secret, which may be written anew while we run: so a password that was corrected needs no restart.
/// Clones share what was read last.
#[derive(Clone, Debug)]
pub struct SecretFile {
    path: PathBuf,
    kind: Kind,
    last: Arc<Mutex<Secret>>,
}

impl SecretFile {
    pub(super) fn new(path: impl Into<PathBuf>, kind: Kind, first: Secret) -> Self {
        Self { path: path.into(), kind, last: Arc::new(Mutex::new(first)) }
    }

    /// What the file holds now. While it can't be read, or holds no such secret, because somebody is just writing it:
    /// what it held before. Reads a disk.
    #[must_use]
    pub fn read(&self) -> Secret {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let text = file::read(&self.path).ok();
        let text = text.as_deref().map(without_line_end);
        if let Some(text) = text.filter(|text| self.kind.check(text).is_ok()) {
            *last = Secret::new(text);
        }
        last.clone()
    }
}

fn without_line_end(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}

/// Leaves each secret that counts under its key, and the file it was read from under the file's key; tells where a
/// secret and its file contradict each other, and where a file or credential holds no such secret.
pub(super) fn resolve(sources: &Sources, settings: &mut Settings) -> Vec<Problem> {
    [URI, TOKEN].into_iter().filter_map(|kind| kind.resolve(sources, settings).err()).collect()
}
