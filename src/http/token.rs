//! The token that clients must show.
//!
//! What holds: how long a comparison takes tells nothing about the token; a file that holds it is looked at again while
//! there are questions, at most once a second, so that a new token counts within a second and the old one no longer; a
//! file that can't be read, or holds no token, changes nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header::{AUTHORIZATION, HeaderMap};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::guard::only;
use crate::config::{Http, Secret, SecretFile};

/// How long a look at the file is good for.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A disk that doesn't answer holds no question up for longer: the token that is known counts.
const LOOK_LIMIT: Duration = Duration::from_millis(500);

/// The length of a token says something about it; that of its hash doesn't.
type Hash = [u8; 32];

/// The token that counts.
#[derive(Debug)]
pub(super) struct Token {
    file: Option<SecretFile>,
    known: Arc<Mutex<Known>>,
}

struct Known {
    hash: Hash,
    looked_at: Instant,
    /// Somebody is looking: on a disk that hangs, one thread waits and no more.
    looking: bool,
}

/// What is wrong with what a client has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unauthorized {
    /// Nothing, or nothing that could be a token.
    Missing,
    /// Another token.
    Wrong,
}

impl Token {
    /// The token of the configuration, if there is one.
    pub(super) fn of(config: &Http) -> Option<Self> {
        let token = config.token.as_ref()?;
        let known = Known { hash: hash(token.expose()), looked_at: Instant::now(), looking: false };
        Some(Self { file: config.token_file.clone(), known: Arc::new(Mutex::new(known)) })
    }

    /// Whether these headers show the token.
    ///
    /// # Errors
    /// They don't.
    pub(super) async fn check(&self, headers: &HeaderMap) -> Result<(), Unauthorized> {
        let shown = bearer(headers).ok_or(Unauthorized::Missing)?;
        self.look().await;
        let is_equal: bool = hash(shown).ct_eq(&lock(&self.known).hash).into();
        if is_equal { Ok(()) } else { Err(Unauthorized::Wrong) }
    }

    async fn look(&self) {
        let Some(file) = self.file.clone() else { return };
        {
            let mut known = lock(&self.known);
            if known.looking || known.looked_at.elapsed() < LOOK_INTERVAL {
                return;
            }
            known.looking = true;
        }
        let known = Arc::clone(&self.known);
        let look = tokio::task::spawn_blocking(move || {
            let now: Secret = file.read();
            let mut known = lock(&known);
            *known = Known { hash: hash(now.expose()), looked_at: Instant::now(), looking: false };
        });
        let _known_or_too_slow = tokio::time::timeout(LOOK_LIMIT, look).await;
    }
}

/// The token of an `Authorization` header, whose scheme may be written in any case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = only(headers, &AUTHORIZATION)?.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn hash(token: &str) -> Hash {
    Sha256::digest(token).into()
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_bearer_token_is_read_and_nothing_else() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        for good in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(read(&[good]).as_deref(), Some("abc"), "{good}");
        }
        for bad in ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearerabc", "Bearer\tabc"] {
            assert_eq!(read(&[bad]), None, "{bad:?}");
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["Bearer abc", "Bearer abc"]), None, "two");
    }
}
