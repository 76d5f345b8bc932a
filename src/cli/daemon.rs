//! Asks the daemon that runs on this host, over HTTP at `http.listen`.
//!
//! What holds: each question has a deadline; no proxy of the environment gets between; an answer that isn't the daemon's
//! is an error, never taken for one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use ureq::Agent;

use crate::config;

/// For an answer. The daemon's own limits are shorter, but for what takes its time.
const DEADLINE: Duration = Duration::from_secs(15);

/// The daemon gave no answer that could be used.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// Nothing was heard from it.
    #[error("a daemon works with this state directory, but doesn't answer at http.listen = {address}: {why}")]
    Silent {
        /// Where it was asked.
        address: SocketAddr,
        /// What was seen.
        why: String,
    },
    /// What answers there speaks another language.
    #[error("what answers at http.listen = {0} isn't the daemon")]
    Foreign(SocketAddr),
    /// It refused.
    #[error("the daemon: {message}: {error}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// What was refused.
        message: String,
        /// Why.
        error: String,
    },
}

/// The daemon, as the commands see it.
pub(super) struct Daemon {
    agent: Agent,
    address: SocketAddr,
}

#[derive(Deserialize)]
struct Envelope {
    success: bool,
    message: String,
    data: Value,
    error: Option<String>,
}

impl Daemon {
    /// The daemon of this configuration.
    pub(super) fn of(http: &config::Http) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(DEADLINE))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build();
        Self { agent: agent.into(), address: reachable(http.listen) }
    }

    /// The data that a GET answers.
    pub(super) fn get(&self, path: &str) -> Result<Value, Unanswered> {
        let request = self.agent.get(self.url(path)).header("Host", self.host());
        self.data(request.call())
    }

    /// The data that a POST answers.
    pub(super) fn post(&self, path: &str, deadline: Duration) -> Result<Value, Unanswered> {
        let request = self.agent.post(self.url(path)).header("Host", self.host());
        self.data(request.config().timeout_global(Some(deadline)).build().send_empty())
    }

    /// The same, for what the daemon answers at once.
    pub(super) fn tell(&self, path: &str) -> Result<Value, Unanswered> {
        self.post(path, DEADLINE)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A loopback name: the daemon lets nobody in who comes by another one.
    fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    fn data(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value, Unanswered> {
        let silent =
            |error: ureq::Error| Unanswered::Silent { address: self.address, why: error.to_string() };
        let mut answer = answer.map_err(silent)?;
        let text = answer.body_mut().read_to_string().map_err(silent)?;
        let envelope: Envelope =
            serde_json::from_str(&text).map_err(|_| Unanswered::Foreign(self.address))?;
        if envelope.success {
            return Ok(envelope.data);
        }
        Err(Unanswered::Refused {
            status: answer.status().as_u16(),
            message: envelope.message,
            error: envelope.error.unwrap_or_default(),
        })
    }
}

/// An address at which something listens that listens everywhere.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_this_host() {
        for (listen, asked) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("192.0.2.7:80", "192.0.2.7:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap(), "{listen}");
        }
    }
}
