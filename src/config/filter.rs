//! The log's filter, checked before it could silence the log.

use tracing_subscriber::EnvFilter;

use super::near::nearest;

/// Whether `text` is a filter.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is empty".into());
    }
    // In brackets it would pass for the name of a field.
    if text.contains("://") {
        return Err("is a URL".into());
    }
    // Whatever else stands there, say a connection string, would be taken for a target, and silence the log.
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_:-".contains(c);
    let targets = text.split(',').map(|directive| directive.split(['=', '[']).next().unwrap_or("").trim());
    if targets.into_iter().any(|target| !target.chars().all(is_path)) {
        return Err("isn't a filter: a target is the path of a module".into());
    }
    EnvFilter::builder().parse(text).map_err(|error| format!("isn't a filter: {error}"))?;
    // A word alone is taken for a target, so that a slip in a level would silence the log.
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for word in text.split(',').map(str::trim).filter(|word| word.chars().all(char::is_alphabetic)) {
        if let Some(level) = nearest(word, LEVELS).filter(|level| !level.eq_ignore_ascii_case(word)) {
            return Err(format!("names a level that doesn't exist; did you mean {level}?"));
        }
        if !LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word)) {
            return Err(format!(
                "has a word alone that is no level ({}); a part of the program is given one, as in hyper=debug",
                LEVELS.join(", ")
            ));
        }
    }
    Ok(())
}
