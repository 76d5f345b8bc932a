//! HTTP requests to a daemon.

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

/// A client that takes every status for an answer.
pub(super) fn agent() -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .build();
    config.into()
}

/// Status and text of the answer, or why there is none.
pub(super) fn request(agent: &Agent, method: &str, url: &str) -> Result<(u16, String), ureq::Error> {
    let mut response = match method {
        "GET" => agent.get(url).call(),
        "POST" => agent.post(url).send_empty(),
        other => unreachable!("no request is made by {other}"),
    }?;
    let text = response.body_mut().read_to_string()?;
    Ok((response.status().as_u16(), text))
}

/// The text as JSON.
#[track_caller]
pub(super) fn json(url: &str, text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{url}: {error} in {text:?}"))
}
