//! The page's files.

use super::*;

#[test]
fn the_page_is_served_and_may_run_nothing_but_its_own() {
    let server = Server::start();
    for (path, media, part) in [
        ("/", "text/html; charset=utf-8", "<title>mongo-uplink</title>"),
        ("/page.css", "text/css; charset=utf-8", "prefers-color-scheme"),
        ("/page.js", "text/javascript; charset=utf-8", "use strict"),
    ] {
        let reply = server.ask("GET", path);
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(media)), "{path}");
        assert!(reply.body.contains(part), "{path}");
        let policy = reply.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn the_page_holds_nothing_that_a_policy_would_have_to_allow() {
    let html = include_str!("../page/index.html");
    let script = include_str!("../page/page.js");
    for inline in ["style=", "onclick", "onload", "javascript:", "<style"] {
        assert!(!html.contains(inline), "{inline}");
    }
    for dangerous in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
        assert!(!script.contains(dangerous), "{dangerous}");
    }
    for (name, text) in
        [("page.html", html), ("page.css", include_str!("../page/page.css")), ("page.js", script)]
    {
        // The name of a namespace isn't asked for.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("@import"), "{name}");
    }
}
