//! What may be a name: of a table, a column, a database, a collection.

use crate::record::RESERVED;

/// A table, column or host name, or the path of a file: not empty, no control character (NUL would end it early). A URL
/// is a slip: it would be told with each line about the thing, and might hold a password.
pub(super) fn plain(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("is empty");
    }
    if name.contains("://") {
        return Err("is a URL");
    }
    printable(name)
}

/// The same, or nothing.
pub(super) fn optional(name: &str) -> Result<(), &'static str> {
    if name.is_empty() { Ok(()) } else { plain(name) }
}

/// No control character.
pub(super) fn printable(name: &str) -> Result<(), &'static str> {
    if name.chars().any(char::is_control) { Err("has a control character") } else { Ok(()) }
}

/// What fits into a header as one word, or nothing.
pub(super) fn token(text: &str) -> Result<(), &'static str> {
    if text.len() > 512 {
        return Err("is longer than 512 bytes");
    }
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("has a blank, a control character or one that isn't ASCII")
    }
}

/// The name or address of a host, as it stands in a browser's address bar.
pub(super) fn host(name: &str) -> Result<(), &'static str> {
    plain(name)?;
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    if inner.unwrap_or(name).parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok(());
    }
    if name.contains(':') {
        return Err("has a colon: the port is left out, any is allowed");
    }
    let is_name = name.len() <= 253 && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if is_name { Ok(()) } else { Err("isn't a host's name") }
}

/// A column. A URL is a slip: a column that the table lacks is named in the log, and it might hold a password.
pub(super) fn column(name: &str) -> Result<(), &'static str> {
    plain(name)
}

/// A column that MongoDB is asked about: a dot would lead it into the field, a dollar is an operator.
pub(super) fn field(name: &str) -> Result<(), &'static str> {
    column(name)?;
    if name.contains('.') || name.starts_with('$') {
        return Err("has a dot or begins with $, so that MongoDB can't look for it");
    }
    Ok(())
}

/// A field that is given a name here: the same, and none that the document needs for itself.
pub(super) fn document_field(name: &str) -> Result<(), &'static str> {
    field(name)?;
    if RESERVED.contains(&name) { Err("is needed by the exported document itself") } else { Ok(()) }
}

/// A database's name by MongoDB's rules for servers on any platform.
pub(super) fn database(name: &str) -> Result<(), &'static str> {
    plain(name)?;
    if name.len() > 63 {
        return Err("is longer than 63 bytes");
    }
    if name.chars().any(|c| c.is_whitespace() || r#"/\."$*<>:|?"#.contains(c)) {
        return Err("has a character that MongoDB doesn't allow in a database's name");
    }
    Ok(())
}

/// A collection's name by MongoDB's rules.
pub(super) fn collection(name: &str) -> Result<(), &'static str> {
    plain(name)?;
    if name.contains('$') {
        return Err("has a $");
    }
    if name.starts_with('.') || name.ends_with('.') {
        return Err("begins or ends with a dot");
    }
    if name.starts_with("system.") {
        return Err("begins with system., which is MongoDB's own");
    }
    Ok(())
}

/// The longest `database.collection`, in bytes, that MongoDB takes.
pub(super) const MAX_NAMESPACE_BYTES: usize = 255;
