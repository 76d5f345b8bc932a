//! Where a value belongs: to a key, or to a name in a section that has no keys of its own.

use super::key::{self, FREE, KEYS, Key};
use super::load::unknown;
use super::near::nearest;
use super::rule::Rule;
use super::{Origin, Problem, show};

/// A place for a value, and what may be there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) section: &'static str,
    pub(super) name: &'a str,
    pub(super) rule: Rule,
}

impl Place<'static> {
    /// A key's.
    pub(super) fn of(key: &Key) -> Self {
        Self { section: key.section, name: key.name, rule: key.rule }
    }
}

impl Place<'_> {
    /// `section.name`, as it may be shown.
    pub(super) fn path(&self) -> String {
        show::free(self.section, self.name)
    }
}

/// The place of that name, or why there is none.
pub(super) fn known<'a>(section: &str, name: &'a str, origin: &Origin) -> Result<Place<'a>, Problem> {
    if let Some(free) = FREE.iter().find(|free| free.section == section) {
        return match (free.name)(name) {
            Ok(()) => Ok(Place { section: free.section, name, rule: free.rule }),
            Err(what) => {
                let what = format!("the name {what}");
                Err(Problem::new(show::free(section, name), origin, what).allowed(free.named))
            }
        };
    }
    if let Some(key) = key::find(section, name) {
        return Ok(Place::of(key));
    }
    let path = show::path(section, name);
    let paths: Vec<String> = KEYS.iter().map(Key::path).collect();
    // A slip within the section is likelier than one in the section's name.
    let near = nearest(name, KEYS.iter().filter(|key| key.section == section).map(|key| key.name))
        .map(|near| format!("{section}.{near}"))
        .or_else(|| nearest(&path, paths.iter().map(String::as_str)).map(str::to_owned));
    Err(Problem::new(path, origin, unknown("key", near)))
}
