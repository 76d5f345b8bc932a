//! Which events are logged. A level alone is meant for this program: other people's libraries stay at `warn`, so that
//! `debug` doesn't bury our own events.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};

/// The target that all of our own events begin with.
const OURS: &str = "mongo_uplink";

/// The most that libraries may say without being asked.
const OTHERS: LevelFilter = LevelFilter::WARN;

/// The filter that a text of the configuration stands for.
pub(super) fn parse(text: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(capped(text))
}

fn capped(text: &str) -> String {
    let mut directives = Vec::new();
    for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        match directive.parse::<LevelFilter>() {
            Ok(level) => {
                // Before the others: of two directives for the same target the later one counts.
                directives.splice(0..0, [level.min(OTHERS).to_string(), format!("{OURS}={level}")]);
            }
            Err(_) => directives.push(directive.to_owned()),
        }
    }
    directives.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_alone_is_for_this_program_and_libraries_stay_at_warn() {
        for (text, effective) in [
            ("info", "warn,mongo_uplink=info"),
            ("DEBUG", "warn,mongo_uplink=debug"),
            ("error", "error,mongo_uplink=error"),
            ("off", "off,mongo_uplink=off"),
            ("info,hyper=debug", "warn,mongo_uplink=info,hyper=debug"),
            ("mongo_uplink::http=trace, info", "warn,mongo_uplink=info,mongo_uplink::http=trace"),
            ("info,mongo_uplink=debug", "warn,mongo_uplink=info,mongo_uplink=debug"),
            ("hyper=info", "hyper=info"),
        ] {
            assert_eq!(capped(text), effective);
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_filter_is_refused() {
        for text in ["mongo_uplink=loud", "a=b=c", "["] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
