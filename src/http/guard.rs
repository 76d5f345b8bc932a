//! Keeps web pages of others away.
//!
//! What holds: a request that reaches an endpoint was addressed to this host by a loopback name, by the address at
//! which it arrived, or by a name that is configured (a page that rebinds its own name to this host still sends its own
//! name); and no page of another origin sent it.

use std::net::IpAddr;

use axum::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};

use super::envelope::Envelope;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A request that isn't let in, by the header that gave it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the Host header must name this host: localhost, its address, or one of http.allowed_hosts")]
    Host,
    #[error("the Origin header names another origin")]
    Origin,
    #[error("the Sec-Fetch-Site header says that another site sent this")]
    FetchSite,
}

impl From<Refused> for Envelope {
    fn from(refused: Refused) -> Self {
        Self::failure(StatusCode::FORBIDDEN, "Forbidden", refused.to_string())
    }
}

/// Lets a request in, or says why not. `allowed` are names that are ours beside those of the loopback and `local`.
pub(super) fn check(request: &Parts, allowed: &[String], local: Option<IpAddr>) -> Result<(), Refused> {
    let is_ours = |authority: &str| is_ours(authority, allowed, local);
    // An absolute request target takes the place of the Host header, so it has to be as good.
    if request.uri.authority().is_some_and(|authority| !is_ours(authority.as_str())) {
        return Err(Refused::Host);
    }
    let headers = &request.headers;
    let host = only(headers, &HOST).filter(|host| is_ours(host)).ok_or(Refused::Host)?;
    if headers.contains_key(ORIGIN) && !only(headers, &ORIGIN).is_some_and(|origin| is_same(origin, host)) {
        return Err(Refused::Origin);
    }
    if headers.get_all(SEC_FETCH_SITE).iter().any(|site| site == "cross-site") {
        return Err(Refused::FetchSite);
    }
    Ok(())
}

/// The value of a header that is there once.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter().map(HeaderValue::to_str);
    match (values.next(), values.next()) {
        (Some(Ok(value)), None) => Some(value),
        _ => None,
    }
}

/// Whether `authority` names this host, with any port or none.
fn is_ours(authority: &str, allowed: &[String], local: Option<IpAddr>) -> bool {
    let (name, port) = match authority.rsplit_once(':') {
        // The last colon of a bare IPv6 address is none before a port.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (authority, None),
    };
    let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok() && !port.starts_with('+'));
    let is = |ours: &str| name.eq_ignore_ascii_case(ours);
    good_port
        && (["localhost", "127.0.0.1", "[::1]"].into_iter().any(is)
            || allowed
                .iter()
                .any(|ours| is(ours) || address(ours).is_some_and(|ours| address(name) == Some(ours)))
            || local.is_some_and(|local| address(name) == Some(local.to_canonical())))
}

/// The address that a name is, if it is one; of IPv6 in its brackets, as in a URL.
fn address(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(inner) => inner.parse().map(IpAddr::V6).ok(),
        None => name.parse().map(IpAddr::V4).ok(),
    }
}

/// Whether `origin` is that of a page which `host` itself has sent.
fn is_same(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn ask(uri: &str, headers: &[(&str, &str)]) -> Result<(), Refused> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (allowed, local) =
            (["Kiosk.example".to_owned(), "[fd00::7]".to_owned()], "192.0.2.7".parse().ok());
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        check(&parts, &allowed, local)
    }

    #[test]
    fn loopback_names_are_let_in() {
        for host in ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:80"] {
            assert_eq!(ask("/", &[("host", host)]), Ok(()), "{host}");
        }
    }

    #[test]
    fn the_own_address_and_names_that_are_configured_are_let_in() {
        for host in ["192.0.2.7", "192.0.2.7:8000", "kiosk.example", "KIOSK.EXAMPLE:8000", "[fd00:0::7]:8000"]
        {
            assert_eq!(ask("/", &[("host", host)]), Ok(()), "{host}");
        }
        let own = [("host", "kiosk.example:8000"), ("origin", "https://kiosk.example:8000")];
        assert_eq!(ask("/", &own), Ok(()));
        for host in
            ["192.0.2.8", "a.kiosk.example", "kiosk.example.com", "[192.0.2.7]", "fd00::7", "[fd00::8]"]
        {
            assert_eq!(ask("/", &[("host", host)]), Err(Refused::Host), "{host}");
        }
    }

    #[test]
    fn other_names_are_not() {
        let names = [
            "",
            ":8000",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "localhost:",
            "::1",
            "localhost:x",
            "localhost:+80",
            "localhost:99999",
            "user@localhost",
            "localhost:80:80",
            "0.0.0.0",
            "[::1]x",
            "localhost ",
        ];
        for host in names {
            assert_eq!(ask("/", &[("host", host)]), Err(Refused::Host), "{host:?}");
        }
        assert_eq!(ask("/", &[]), Err(Refused::Host), "none at all");
        assert_eq!(ask("/", &[("host", "localhost"), ("host", "example.com")]), Err(Refused::Host), "two");
        assert_eq!(ask("http://example.com/", &[("host", "localhost")]), Err(Refused::Host), "absolute");
        assert_eq!(ask("http://localhost/", &[("host", "localhost")]), Ok(()));
    }

    #[test]
    fn pages_of_other_origins_are_kept_away() {
        let ask = |name, value| ask("/", &[("host", "localhost:8000"), (name, value)]);
        assert_eq!(ask("origin", "http://localhost:8000"), Ok(()));
        for origin in [
            "null",
            "http://example.com",
            "http://localhost:3000",
            "http://localhost",
            "ftp://localhost:8000",
        ] {
            assert_eq!(ask("origin", origin), Err(Refused::Origin), "{origin}");
        }
        for site in ["same-origin", "none", "same-site"] {
            assert_eq!(ask("sec-fetch-site", site), Ok(()), "{site}");
        }
        assert_eq!(ask("sec-fetch-site", "cross-site"), Err(Refused::FetchSite));
    }
}
