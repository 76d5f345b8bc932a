//! Which of the possible sources the connection string is taken from, and reading it again out of a file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::load::{Found, Settings};
use super::rule::{Rule, Setting};
use super::{Origin, Problem, Secret, Shown, Sources, file};

const URI: &str = "mongodb.uri";
const URI_FILE: &str = "mongodb.uri_file";

/// The name of the systemd credential.
const CREDENTIAL: &str = "mongodb-uri";

/// A file with a connection string, which may be written anew while we run: so a password that was corrected needs no
/// restart. Clones share what was read last.
#[derive(Clone, Debug)]
pub struct UriFile {
    path: PathBuf,
    last: Arc<Mutex<Secret>>,
}

impl UriFile {
    pub(super) fn new(path: impl Into<PathBuf>, first: Secret) -> Self {
        Self { path: path.into(), last: Arc::new(Mutex::new(first)) }
    }

    /// What the file holds now. While it can't be read, or holds no connection string, because somebody is just writing
    /// it: what it held before. Reads a disk.
    #[must_use]
    pub fn read(&self) -> Secret {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let text = file::read(&self.path).ok();
        if let Some(text) = text.as_deref().map(without_line_end).filter(|text| is_uri(text)) {
            *last = Secret::new(text);
        }
        last.clone()
    }
}

fn without_line_end(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}

fn is_uri(text: &str) -> bool {
    Rule::Uri.check(&text.into()).is_ok()
}

/// Leaves the connection string that counts in `mongodb.uri`, and the file it was read from in `mongodb.uri_file`.
///
/// # Errors
/// `uri` and `uri_file` contradict each other, or the file or credential holds no connection string.
pub(super) fn resolve(sources: &Sources, settings: &mut Settings) -> Result<(), Problem> {
    let (uri, file) = (&settings[URI], &settings[URI_FILE]);
    let is_set = matches!(&file.setting, Setting::Text(path) if !path.is_empty());
    if is_set && uri.shown.origin.is_level_with(&file.shown.origin) {
        return Err(Problem::new(URI, &uri.shown.origin, format!("is set together with {URI_FILE}"))
            .allowed("one of the two in one source"));
    }
    let found = match &file.setting {
        Setting::Text(path) if is_set && file.shown.origin > uri.shown.origin => {
            let text = read(Path::new(path), URI_FILE, &file.shown.origin)?;
            Some((text, path.clone(), file.shown.origin.clone()))
        }
        _ if uri.shown.origin == Origin::Default => credential(sources)?,
        _ => None,
    };
    let mut from_file = String::new();
    if let Some((text, path, origin)) = found {
        let shown = Shown { key: URI.into(), value: "[secret]".into(), origin };
        settings.insert(URI.into(), Found { setting: Setting::Text(text), shown });
        from_file = path;
    }
    if let Some(file) = settings.get_mut(URI_FILE) {
        file.setting = Setting::Text(from_file);
    }
    Ok(())
}

/// The credential that systemd hands to the service, if it does.
fn credential(sources: &Sources) -> Result<Option<(String, String, Origin)>, Problem> {
    let Some(directory) = sources.variable("CREDENTIALS_DIRECTORY") else { return Ok(None) };
    let path = PathBuf::from(directory).join(CREDENTIAL);
    if matches!(path.metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let origin = Origin::Credential(path.clone());
    let text = read(&path, URI, &origin)?;
    // systemd's own path is text; should it not be, what was read at the start holds.
    Ok(Some((text, path.to_str().unwrap_or_default().to_owned(), origin)))
}

/// The connection string in a file, without the line's end. The path may be a secret that was put into the
/// wrong key, so that it isn't told: its origin is.
fn read(path: &Path, key: &str, origin: &Origin) -> Result<String, Problem> {
    let problem = |what: String| Problem {
        value: Some("[secret]".into()),
        ..Problem::new(key, origin, what)
            .allowed("a readable file that holds a connection string and nothing else")
    };
    let text =
        file::read(path).map_err(|error| problem(format!("names a file that can't be read: {error}")))?;
    let text = without_line_end(&text);
    match Rule::Uri.check(&text.into()) {
        Ok(_) => Ok(text.to_owned()),
        Err(what) => Err(problem(format!("names a file whose content {what}"))),
    }
}
