//! MongoDB, stage by stage: names, ports, TLS, the server, login, primary, rights, indexes, clocks.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::verdict::Line;
use crate::config::{Config, Secret};
use crate::report::{Failure, Reason};
use crate::target::{Survey, Target};

/// All of it stays below the promised 15 seconds.
const REACH: Duration = Duration::from_secs(4);
const CONNECT: Duration = Duration::from_secs(5);
const SURVEY: Duration = Duration::from_secs(3);
const CLOSE: Duration = Duration::from_secs(1);

/// Clocks that differ by more than this are worth a word.
const SKEW_MS: i64 = 5_000;

/// The stages of a connection, in their order.
const STAGES: [&str; 9] = ["dns", "tcp", "tls", "server", "login", "primary", "rights", "index", "clock"];

pub(super) async fn look(config: &Config) -> Vec<Line> {
    let fallbacks = config.mongodb.fallback_uris.iter().map(|uri| usable(config, uri));
    // One after the other would take too long.
    let fallbacks = join_all(fallbacks);
    let (mut lines, fallbacks) = tokio::join!(first(config, &config.mongodb.uri), fallbacks);
    for (number, failure) in (1..).zip(fallbacks) {
        lines.push(match failure {
            None => Line::ok("fallback", format!("fallback {number} can be used")),
            Some(failure) => {
                Line::warn("fallback", format!("fallback {number}: {failure}"), failure.reason.hint())
            }
        });
    }
    lines
}

async fn usable(config: &Config, uri: &Secret) -> Option<Failure> {
    match Target::connect(&config.mongodb, uri, REACH + CONNECT).await {
        Ok(target) => {
            let _late = timeout(CLOSE, target.close()).await;
            None
        }
        Err(failure) => Some(failure),
    }
}

async fn first(config: &Config, uri: &Secret) -> Vec<Line> {
    let reached = match Target::reach(uri, REACH).await {
        Ok(reached) => reached,
        Err(failure) => {
            let stage = if matches!(failure.reason, Reason::Dns | Reason::Options) { 0 } else { 1 };
            let begun = if stage == 1 { vec![Line::ok("dns", "the names resolve")] } else { Vec::new() };
            return up_to(begun, stage, &failure);
        }
    };
    let mut lines =
        vec![Line::ok("dns", "the names resolve"), Line::ok("tcp", "the port accepts connections")];
    let tls = if reached.tls {
        Line::ok("tls", "encrypted, and the certificate is trusted")
    } else {
        Line::warn(
            "tls",
            "the connection isn't encrypted",
            "Add tls=true to mongodb.uri, if the server isn't on this host.",
        )
    };
    let login = if reached.login {
        Line::ok("login", "the server takes the login")
    } else {
        Line::warn(
            "login",
            "the server asks for none",
            "Turn on access control in MongoDB, if it isn't on this host.",
        )
    };
    let target = match Target::connect(&config.mongodb, uri, CONNECT).await {
        Ok(target) => target,
        Err(failure) => {
            let stage = match failure.reason {
                Reason::Dns | Reason::Options => 0,
                Reason::Refused | Reason::Unreachable => 1,
                Reason::Tls => 2,
                Reason::Auth => 4,
                Reason::NotPrimary => 5,
                Reason::NotAuthorized => 6,
                _ => 3,
            };
            lines.extend([
                tls,
                Line::ok("server", "MongoDB answers"),
                login,
                Line::ok("primary", "it takes writes"),
            ]);
            lines.truncate(stage);
            return up_to(lines, stage, &failure);
        }
    };
    let survey = timeout(SURVEY, target.survey(&config.export.duplicate_key)).await;
    let _late = timeout(CLOSE, target.close()).await;
    let late = || Failure::new(Reason::Timeout, "the server doesn't answer in time");
    lines.push(tls);
    match survey.unwrap_or_else(|_| Err(late())) {
        Ok(survey) => {
            lines.push(Line::ok("server", format!("MongoDB {}", survey.version)));
            lines.extend([login, Line::ok("primary", "it takes writes")]);
            lines.extend([rights(&survey), index(config, &survey), clock(&survey)]);
            lines
        }
        Err(failure) => up_to(lines, 3, &failure),
    }
}

/// The lines before, the one that failed, and those behind it.
fn up_to(mut lines: Vec<Line>, stage: usize, failure: &Failure) -> Vec<Line> {
    lines.push(Line::fail(STAGES[stage], failure.to_string(), failure.reason.hint()));
    lines.extend(STAGES[stage + 1..].iter().map(|name| Line::unknown(name)));
    lines
}

fn rights(survey: &Survey) -> Line {
    const NAME: &str = "rights";
    let Some(rights) = &survey.rights else {
        return Line::ok(NAME, "the collection can be read; the server tells of no rights");
    };
    if !rights.missing.is_empty() {
        let detail = format!("the user lacks {}", rights.missing.join(", "));
        return Line::fail(NAME, detail, Reason::NotAuthorized.hint());
    }
    if !rights.lacking.is_empty() {
        let detail = format!("the user lacks {}", rights.lacking.join(", "));
        return Line::warn(NAME, detail, "Grant them; the README tells what each is for.");
    }
    Line::ok(NAME, "the user has all rights that are needed")
}

fn index(config: &Config, survey: &Survey) -> Line {
    const NAME: &str = "index";
    if survey.has_indexes {
        return Line::ok(NAME, "the indexes that duplicates need are there");
    }
    let may = survey.rights.as_ref().is_none_or(|rights| !rights.lacking.contains(&"createIndex"));
    if may {
        return Line::ok(NAME, "the indexes that duplicates need will be made by the first export");
    }
    let hint = format!(
        "Grant createIndex, or make them: one on {}, one unique and partial on export_metadata.duplicate_key.",
        config.export.duplicate_key.join(", ")
    );
    Line::warn(NAME, "the indexes that duplicates need are missing, and can't be made", hint)
}

fn clock(survey: &Survey) -> Line {
    const NAME: &str = "clock";
    match survey.ahead_ms {
        None => Line::ok(NAME, "the server doesn't tell its time"),
        Some(ms) if ms.abs() <= SKEW_MS => Line::ok(NAME, "this host's clock and the server's agree"),
        Some(ms) => {
            let how = if ms > 0 { "ahead of" } else { "behind" };
            Line::warn(
                NAME,
                format!("this host's clock is {} s {how} the server's", ms.abs() / 1000),
                "Set this host's clock (timedatectl set-ntp true): certificates and the times in documents depend on it.",
            )
        }
    }
}
