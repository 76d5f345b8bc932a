//! Which of the possible sources the connection string is taken from.

use std::io;
use std::path::{Path, PathBuf};

use super::load::{Found, Settings};
use super::rule::{Rule, Setting};
use super::{Origin, Problem, Shown, Sources, file};

const URI: &str = "mongodb.uri";
const URI_FILE: &str = "mongodb.uri_file";

/// The name of the systemd credential.
const CREDENTIAL: &str = "mongodb-uri";

/// Leaves the connection string that counts in `mongodb.uri`.
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
            Some((read(Path::new(path), URI_FILE, &file.shown.origin)?, file.shown.origin.clone()))
        }
        _ if uri.shown.origin == Origin::Default => credential(sources)?,
        _ => None,
    };
    if let Some((text, origin)) = found {
        let shown = Shown { key: URI.into(), value: "[secret]".into(), origin };
        settings.insert(URI.into(), Found { setting: Setting::Text(text), shown });
    }
    Ok(())
}

/// The credential that systemd hands to the service, if it does.
fn credential(sources: &Sources) -> Result<Option<(String, Origin)>, Problem> {
    let Some(directory) = sources.variable("CREDENTIALS_DIRECTORY") else { return Ok(None) };
    let path = PathBuf::from(directory).join(CREDENTIAL);
    if matches!(path.metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let origin = Origin::Credential(path.clone());
    Ok(Some((read(&path, URI, &origin)?, origin)))
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
    let text = text.trim_end_matches(['\r', '\n']);
    match Rule::Uri.check(&text.into()) {
        Ok(_) => Ok(text.to_owned()),
        Err(what) => Err(problem(format!("names a file whose content {what}"))),
    }
}
