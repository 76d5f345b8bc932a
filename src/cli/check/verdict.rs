//! One line of a check.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    /// It goes on, less well.
    Warn,
    /// It doesn't work.
    Fail,
    /// What failed before keeps it from being known.
    Unknown,
}

/// One line.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) detail: Cow<'static, str>,
    /// What to do.
    pub(super) hint: Option<Cow<'static, str>>,
}

impl Line {
    pub(super) fn ok(name: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { name, verdict: Verdict::Ok, detail: detail.into(), hint: None }
    }

    pub(super) fn warn(
        name: &'static str,
        detail: impl Into<Cow<'static, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { verdict: Verdict::Warn, hint: Some(hint.into()), ..Self::ok(name, detail) }
    }

    pub(super) fn fail(
        name: &'static str,
        detail: impl Into<Cow<'static, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { verdict: Verdict::Fail, hint: Some(hint.into()), ..Self::ok(name, detail) }
    }

    pub(super) fn unknown(name: &'static str) -> Self {
        Self { verdict: Verdict::Unknown, ..Self::ok(name, "not known, because of what failed before") }
    }
}

/// The lines as people read them.
pub(super) fn text(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Line { name, verdict, detail, hint } in lines {
        let word = match verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
            Verdict::Unknown => "-",
        };
        // Writing to a String can't fail.
        let _ = writeln!(text, "{word:4}  {name:width$}  {detail}");
        if let Some(hint) = hint {
            let _ = writeln!(text, "      {:width$}  {hint}", "");
        }
    }
    text
}
