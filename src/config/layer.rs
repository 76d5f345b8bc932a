//! One source each as a layer for figment, with names checked and texts read by their key's type.

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::key::{FREE, KEYS, Key, PREFIX, SECTIONS};
use super::load::unknown;
use super::near::nearest;
use super::place::{Place, known};
use super::{ConfigError, Origin, Problem, Sources, file, show};

const DEFAULTS: &str = "defaults";
const FILE: &str = "file";
const ENVIRONMENT: &str = "environment";
const COMMAND_LINE: &str = "command line";

/// Known keys only, each section a table: what figment needs to merge without surprises.
struct Layer {
    metadata: Metadata,
    sections: Dict,
}

impl Layer {
    fn new(metadata: Metadata) -> Self {
        Self { metadata, sections: Dict::new() }
    }

    fn set(&mut self, place: &Place<'_>, value: Value) {
        let section = self.sections.entry(place.section.into()).or_insert_with(|| Value::from(Dict::new()));
        if let Value::Dict(_, keys) = section {
            keys.insert(place.name.into(), value);
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.sections.clone()))
    }
}

/// All layers in the order of precedence. Names that mean nothing are added to `problems`.
///
/// # Errors
/// The file can't be read at all: what is said about the rest would be misleading then.
pub(super) fn merge(sources: &Sources, problems: &mut Vec<Problem>) -> Result<Figment, ConfigError> {
    let mut figment = Figment::from(defaults());
    if let Some(layer) = file_layer(sources, problems).map_err(|problem| ConfigError::new(vec![problem]))? {
        figment = figment.merge(layer);
    }
    Ok(figment.merge(environment(sources, problems)).merge(command_line(sources, problems)))
}

/// Which layer the value of a key comes from.
pub(super) fn origin(figment: &Figment, value: &Value, variable: impl FnOnce() -> String) -> Origin {
    let Some(metadata) = figment.get_metadata(value.tag()) else { return Origin::Default };
    match (metadata.source.as_ref().and_then(Source::file_path), metadata.name.as_ref()) {
        (Some(path), _) => Origin::File(path.to_owned()),
        (None, ENVIRONMENT) => Origin::Environment(variable()),
        (None, COMMAND_LINE) => Origin::CommandLine,
        (None, _) => Origin::Default,
    }
}

fn defaults() -> Layer {
    let mut layer = Layer::new(Metadata::named(DEFAULTS));
    for key in KEYS {
        layer.set(&Place::of(key), key.rule.value_of_text(key.default));
    }
    layer
}

fn file_layer(sources: &Sources, problems: &mut Vec<Problem>) -> Result<Option<Layer>, Problem> {
    let Some((path, text)) = file::find(sources)? else { return Ok(None) };
    let origin = Origin::File(path.clone());
    let sections: Dict = Toml::from_str(&text).map_err(|error| {
        // The error's own text quotes the file, which may hold a secret in that very line.
        let at = error.span().map_or_else(String::new, |span| position(&text, span.start));
        Problem::new("file", &origin, format!("isn't TOML{at}"))
            .allowed("[section] lines and key = value lines, texts in quotes, each key once")
    })?;
    let mut layer = Layer::new(Metadata::from(FILE, path.as_path()));
    for (section, content) in sections {
        if !SECTIONS.contains(&section.as_str()) {
            let near = nearest(&section, SECTIONS.iter().copied()).map(str::to_owned);
            problems.push(Problem::new(show::name(&section), &origin, unknown("section", near)));
            continue;
        }
        let Value::Dict(_, keys) = content else {
            problems.push(Problem::new(section, &origin, "isn't a section").allowed("a [section] line"));
            continue;
        };
        for (name, value) in keys {
            match known(&section, &name, &origin) {
                Ok(place) => layer.set(&place, value),
                Err(problem) => problems.push(problem),
            }
        }
    }
    Ok(Some(layer))
}

/// Line and column, from 1, of a byte in a text.
fn position(text: &str, byte: usize) -> String {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!(" at line {line}, column {column}")
}

fn environment(sources: &Sources, problems: &mut Vec<Problem>) -> Layer {
    let mut layer = Layer::new(Metadata::named(ENVIRONMENT));
    for (name, value) in &sources.environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let place = match variable(name) {
            Ok(place) => place,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        match value.to_str() {
            Some(text) => layer.set(&place, place.rule.value_of_text(text)),
            None => {
                let origin = Origin::Environment(name.to_owned());
                problems
                    .push(Problem::new(place.path(), origin, "isn't UTF-8").allowed(place.rule.allowed()));
            }
        }
    }
    layer
}

/// What a variable of that name sets.
fn variable(name: &str) -> Result<Place<'_>, Problem> {
    if let Some(key) = KEYS.iter().find(|key| key.variable() == name) {
        return Ok(Place::of(key));
    }
    for free in FREE {
        if let Some(name) = name.strip_prefix(&free.variable("")) {
            return known(free.section, name, &Origin::Environment(free.variable(&show::name(name))));
        }
    }
    let variables: Vec<String> = KEYS.iter().map(Key::variable).collect();
    let near = nearest(name, variables.iter().map(String::as_str)).map(str::to_owned);
    Err(Problem::new(show::name(name), "environment", unknown("variable", near)))
}

fn command_line(sources: &Sources, problems: &mut Vec<Problem>) -> Layer {
    let mut layer = Layer::new(Metadata::named(COMMAND_LINE));
    for assignment in &sources.overrides {
        let found = match assignment.expose().split_once('=') {
            Some((path, text)) => {
                let (section, name) = path.trim().split_once('.').unwrap_or((path.trim(), ""));
                known(section, name, &Origin::CommandLine).map(|place| (place, text))
            }
            None => Err(Problem::new("--set", Origin::CommandLine, "isn't an assignment")
                .allowed("--set section.key=value")),
        };
        match found {
            Ok((place, text)) => layer.set(&place, place.rule.value_of_text(text)),
            Err(problem) => problems.push(problem),
        }
    }
    layer
}
