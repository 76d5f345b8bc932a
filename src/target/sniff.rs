//! Who answers there? Asked only when a server closed the connection, or sent something else, before it had answered
//! the driver even once: then it is MongoDB behind the wrong TLS option, or no MongoDB at all.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::doc;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::report::{Failure, Reason};

/// Longest wait for each of the two answers; servers that close or talk do so at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// The header of MongoDB's messages: length, id, id of the request, kind; each a little-endian `i32`.
const HEADER: usize = 16;

/// The kind of message that carries a command or its reply.
const OP_MSG: i32 = 2013;

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    Mongodb,
    Tls,
    Http,
    Ssh,
    Other,
    Closed,
    Reset,
    Silent,
}

/// A failure that says more than `failure` does, if asking the server again tells more.
pub(super) async fn explain(address: SocketAddr, tls: bool, failure: Failure, end: Instant) -> Failure {
    let voice = timeout_at(end, who_answers(address)).await.unwrap_or(Voice::Silent);
    let (reason, detail) = match (voice, tls) {
        (Voice::Mongodb, true) => {
            (Reason::Tls, "MongoDB answers there without TLS: remove tls=true from the connection string")
        }
        (Voice::Tls, false) => (Reason::Tls, "the server speaks TLS: add tls=true to the connection string"),
        (Voice::Tls, true) => (
            Reason::Tls,
            "the server closes the connection after the handshake: it may want another client certificate, or one at \
             all (tlsCertificateKeyFile)",
        ),
        (Voice::Http, _) => (Reason::NotMongodb, "an HTTP server answers there"),
        (Voice::Ssh, _) => (Reason::NotMongodb, "an SSH server answers there"),
        (Voice::Other, _) => (Reason::NotMongodb, "the answer isn't one of MongoDB"),
        (Voice::Closed, false) => (
            Reason::NotMongodb,
            "each connection is closed without an answer: no MongoDB is behind that port",
        ),
        (Voice::Reset, false) => (Reason::Disconnected, "each connection is reset before MongoDB answers"),
        // It answers rightly now, or doesn't answer what speaks TLS with it: what the driver saw stands.
        _ => return failure,
    };
    Failure::new(reason, detail)
}

async fn who_answers(address: SocketAddr) -> Voice {
    match ask(address, &hello()).await {
        // MongoDB that wants TLS closes without a word, too.
        silent @ (Voice::Closed | Voice::Reset | Voice::Other) => match client_hello() {
            Some(bytes) if ask(address, &bytes).await == Voice::Tls => Voice::Tls,
            _ => silent,
        },
        voice => voice,
    }
}

async fn ask(address: SocketAddr, question: &[u8]) -> Voice {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(question).await?;
        let mut answer = [0; HEADER];
        let mut length = 0;
        while length < HEADER {
            match stream.read(&mut answer[length..]).await? {
                0 => break,
                more => length += more,
            }
            // What isn't MongoDB may send less than a header and wait.
            if let voice @ (Voice::Tls | Voice::Http | Voice::Ssh) = voice(&answer[..length]) {
                return Ok(voice);
            }
        }
        Ok::<_, io::Error>(voice(&answer[..length]))
    };
    match timeout(PATIENCE, exchange).await {
        Ok(Ok(voice)) => voice,
        Ok(Err(_)) => Voice::Reset,
        Err(_) => Voice::Silent,
    }
}

fn voice(answer: &[u8]) -> Voice {
    match answer {
        [] => Voice::Closed,
        // A record of type alert or handshake, of any version of TLS.
        [0x15 | 0x16, 0x03, 0..=4, ..] => Voice::Tls,
        [b'H', b'T', b'T', b'P', ..] => Voice::Http,
        [b'S', b'S', b'H', b'-', ..] => Voice::Ssh,
        [_, _, _, _, _, _, _, _, _, _, _, _, kind @ ..] if kind == OP_MSG.to_le_bytes() => Voice::Mongodb,
        _ => Voice::Other,
    }
}

/// The command `hello`, as a message.
fn hello() -> Vec<u8> {
    let body = doc! { "hello": 1, "$db": "admin" }.to_vec().unwrap_or_default();
    // Behind the header: flags, and the kind of the only section.
    let length = i32::try_from(HEADER + 5 + body.len()).unwrap_or(0);
    let mut message = Vec::with_capacity(HEADER + 5 + body.len());
    for number in [length, 1, 0, OP_MSG, 0] {
        message.extend(number.to_le_bytes());
    }
    message.push(0);
    message.extend(body);
    message
}

/// The first message of a TLS handshake that is never brought to its end.
fn client_hello() -> Option<Vec<u8>> {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("mongodb.invalid").ok()?;
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_voice_is_known_by_its_first_bytes() {
        let mut reply = [0; HEADER];
        reply[12..].copy_from_slice(&OP_MSG.to_le_bytes());
        for (answer, expected) in [
            (&b""[..], Voice::Closed),
            (b"HTTP/1.1 400 Bad Request", Voice::Http),
            (b"SSH-2.0-x", Voice::Ssh),
            (b"\x15\x03\x03\x00\x02\x02\x28", Voice::Tls),
            (b"\x16\x03\x03\x00\x7a", Voice::Tls),
            (b"220 mail", Voice::Other),
            (&reply, Voice::Mongodb),
        ] {
            assert_eq!(voice(answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn the_questions_are_well_formed() {
        assert_eq!(hello()[..4], i32::try_from(hello().len()).unwrap().to_le_bytes());
        assert_eq!(voice(&client_hello().unwrap()), Voice::Tls);
    }
}
