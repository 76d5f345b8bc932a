//! Who is let in.
//!
//! What holds: `Host` names this host by a name that nobody else can make point here, no page of another origin asks,
//! and, if there is a token, it is shown: for everything but [`OPEN`] and the page, and by everybody but those who come by
//! the socket in the file system, whose permission bits have let them in.

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::arrival::{Arrival, Peer};
use super::envelope::Envelope;
use super::guard;
use super::page;
use super::token::{Token, Unauthorized};
use crate::config;

/// What needs no token: supervisors and load balancers have none, and the page, which holds no data, is where a person
/// types it in.
const OPEN: [&str; 2] = ["/live", "/ready"];

fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || page::PATHS.contains(&path)
}

/// Who is let in, as it is configured.
#[derive(Debug)]
pub struct Policy {
    hosts: Vec<String>,
    token: Option<Token>,
}

impl Policy {
    /// The policy of a configuration.
    #[must_use]
    pub fn new(config: &config::Http) -> Self {
        Self { hosts: config.allowed_hosts.clone(), token: Token::of(config) }
    }

    /// Lets a request in, or answers it.
    pub(super) async fn admit(&self, request: &Parts) -> Result<(), Response> {
        let arrival = request.extensions.get::<Arrival>();
        let is_local = arrival.is_some_and(|arrival| arrival.peer == Peer::Socket);
        guard::check(request, &self.hosts, arrival.and_then(|arrival| arrival.local))
            .map_err(|refused| Envelope::from(refused).into_response())?;
        match &self.token {
            Some(token) if !is_local && !is_open(request.uri.path()) => {
                token.check(&request.headers).await.map_err(challenge)
            }
            _ => Ok(()),
        }
    }
}

/// The answer to somebody who doesn't show the token.
fn challenge(unauthorized: Unauthorized) -> Response {
    let (error, scheme) = match unauthorized {
        Unauthorized::Missing => {
            ("a token is needed: send it as Authorization: Bearer TOKEN", r#"Bearer realm="mongo-uplink""#)
        }
        Unauthorized::Wrong => {
            ("this isn't the token", r#"Bearer realm="mongo-uplink", error="invalid_token""#)
        }
    };
    let mut response = Envelope::failure(StatusCode::UNAUTHORIZED, "Unauthorized", error).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    response
}
