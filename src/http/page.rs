//! The page: three files that are part of the program. It holds no data; its script asks for them, as anybody else.
//!
//! What holds: the browser runs nothing but the script of this program, and asks nobody but this daemon.

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

/// Where the page may get what: from here. (The icon is part of the page itself.)
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What needs no token: a person has none to show before there is a page to type it in.
pub(super) const PATHS: [&str; 3] = ["/", "/page.css", "/page.js"];

pub(super) async fn html() -> Response {
    file("text/html; charset=utf-8", include_str!("page/index.html"))
}

pub(super) async fn css() -> Response {
    file("text/css; charset=utf-8", include_str!("page/page.css"))
}

pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("page/page.js"))
}

fn file(media: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, media), (CONTENT_SECURITY_POLICY, POLICY)], text).into_response()
}
