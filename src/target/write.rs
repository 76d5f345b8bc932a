//! Commands that write, and what their replies say of each document.

use std::ops::Range;
use std::time::Duration;

use mongodb::bson::raw::{CStr, RawDocument, RawDocumentBuf};
use mongodb::bson::{Bson, Document, cstr, doc};

use super::encode::{chunks, with_array};
use super::insert::{COMMAND_BYTES, InsertOutcome};
use super::{Target, failure, write_concern};
use crate::report::{Failure, Reason};

/// DuplicateKey.
const DUPLICATE_KEY: i32 = 11_000;

/// The codes of a duplicate key: today's, and those of old servers.
const DUPLICATE_KEYS: [i32; 3] = [DUPLICATE_KEY, 11_001, 12_582];

/// The longest name of an error code that is taken over; the server's own have half of that.
const LONGEST_NAME: usize = 100;

impl Target {
    /// Sends documents or statements, unordered, in as few commands as hold them, with our write concern.
    pub(super) async fn write(
        &self,
        deadline: Duration,
        verb: Verb,
        items: &[&RawDocument],
    ) -> Result<Vec<InsertOutcome>, Failure> {
        let parts = chunks(items, COMMAND_BYTES, |item| item.as_bytes().len());
        self.write_parts(deadline, verb, items, parts).await
    }

    /// The same, in these parts. A command that is refused as a whole for what is in it is sent again in halves, until it is
    /// known for what.
    pub(super) async fn write_parts(
        &self,
        deadline: Duration,
        verb: Verb,
        items: &[&RawDocument],
        mut parts: Vec<Range<usize>>,
    ) -> Result<Vec<InsertOutcome>, Failure> {
        let mut outcomes = vec![InsertOutcome::Inserted; items.len()];
        let mut refused = None;
        let mut accepted = false;
        // The last of them is the next one.
        parts.reverse();
        while let Some(part) = parts.pop() {
            let command = self.command_with(verb, &items[part.clone()])?;
            match self.send(deadline, verb, command, part.len()).await? {
                Ok(found) => {
                    accepted = true;
                    outcomes.splice(part, found);
                }
                Err(code) if part.len() == 1 => {
                    refused = refused.or(Some(code));
                    outcomes[part.start] =
                        InsertOutcome::Rejected { code, detail: meaning(code, &Document::new()) };
                }
                Err(_) => parts.extend(halves(part).into_iter().rev()),
            }
        }
        match refused {
            // Nothing at all was accepted: then it isn't said that documents are the cause.
            Some(code) if !accepted => Err(failure::of_code(code)),
            _ => Ok(outcomes),
        }
    }

    fn command_with(&self, verb: Verb, items: &[&RawDocument]) -> Result<RawDocumentBuf, Failure> {
        let (name, list) = match verb {
            Verb::Insert => (verb.name(), cstr!("documents")),
            Verb::Update => (verb.name(), cstr!("updates")),
            Verb::Delete => (verb.name(), cstr!("deletes")),
        };
        let mut command = RawDocumentBuf::new();
        command.append(name, self.collection.name());
        with_array(command, list, items).ok_or_else(unencodable)
    }

    /// Sends one command about so many documents. Its reply's write errors speak of documents alone; a command refused for
    /// what is in it is the inner error, with its code; whatever else went wrong is a failure.
    pub(super) async fn send(
        &self,
        deadline: Duration,
        verb: Verb,
        mut command: RawDocumentBuf,
        count: usize,
    ) -> Result<Result<Vec<InsertOutcome>, i32>, Failure> {
        command.append(cstr!("ordered"), false);
        let concern = RawDocumentBuf::try_from(&write_concern(deadline)).map_err(|_| unencodable())?;
        command.append(cstr!("writeConcern"), concern);
        let sent = self.within(deadline, verb.name().as_str(), async {
            match self.database.run_raw_command(command).await {
                Ok(reply) => Ok(Ok(reply)),
                Err(error) => failure::refused_content(&error).map(Err).ok_or(error),
            }
        });
        let reply = match sent.await? {
            Ok(reply) => reply,
            Err(code) => return Ok(Err(code)),
        };
        if let Ok(error) = reply.get_document("writeConcernError") {
            // Written here, but not yet confirmed by a majority.
            return Err(failure::of_code(error.get_i32("code").unwrap_or(64)));
        }
        let mut outcomes = vec![InsertOutcome::Inserted; count];
        for WriteErrorAt { index, outcome } in write_errors(&reply)? {
            *outcomes.get_mut(index).ok_or_else(unreadable)? = outcome;
        }
        let inserted = outcomes.iter().filter(|outcome| **outcome == InsertOutcome::Inserted).count();
        let told = reply.get("n").and_then(as_index);
        if verb == Verb::Insert && told != Some(inserted) {
            return Err(unreadable());
        }
        Ok(Ok(outcomes))
    }
}

/// Both halves, the first one first.
pub(super) fn halves(part: Range<usize>) -> [Range<usize>; 2] {
    let middle = part.start + part.len() / 2;
    [part.start..middle, middle..part.end]
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Insert,
    Update,
    Delete,
}

impl Verb {
    fn name(self) -> &'static CStr {
        match self {
            Self::Insert => cstr!("insert"),
            Self::Update => cstr!("update"),
            Self::Delete => cstr!("delete"),
        }
    }
}

pub(super) fn unencodable() -> Failure {
    Failure::new(Reason::Server, "a command can't be encoded")
}

/// A reply that contradicts itself: taking it for anything could lose a row.
fn unreadable() -> Failure {
    Failure::new(Reason::Server, "the reply to a write doesn't say what was written")
}

/// One of the reply's write errors.
struct WriteErrorAt {
    index: usize,
    outcome: InsertOutcome,
}

/// The reply's write errors; a failure if one of them speaks of the server's state and not of a document.
fn write_errors(reply: &Document) -> Result<Vec<WriteErrorAt>, Failure> {
    let errors = match reply.get("writeErrors") {
        None => return Ok(Vec::new()),
        Some(errors) => errors.as_array().ok_or_else(unreadable)?,
    };
    errors
        .iter()
        .map(|error| {
            let error = error.as_document().ok_or_else(unreadable)?;
            let code = error.get_i32("code").unwrap_or(0);
            if failure::reason_of_code(code).is_some() {
                return Err(failure::of_server(code, error.get_str("errmsg").unwrap_or_default()));
            }
            let index = error.get("index").and_then(as_index).ok_or_else(unreadable)?;
            Ok(WriteErrorAt { index, outcome: judge(code, error) })
        })
        .collect()
}

/// A duplicate key is judged by its index: only `_id` and ours mean that there is nothing to do.
fn judge(code: i32, error: &Document) -> InsertOutcome {
    if DUPLICATE_KEYS.contains(&code) {
        let pattern = error.get_document("keyPattern").ok();
        if pattern.is_some_and(|pattern| *pattern == doc! { "_id": 1 }) {
            return InsertOutcome::SameId;
        }
        if pattern.is_some_and(|pattern| {
            pattern.len() == 1 && pattern.contains_key("export_metadata.duplicate_key")
        }) {
            return InsertOutcome::SameDuplicateKey;
        }
        let fields = pattern.map_or_else(
            || "unknown fields".to_owned(),
            |pattern| pattern.keys().cloned().collect::<Vec<_>>().join(", "),
        );
        return InsertOutcome::Rejected {
            code,
            detail: format!("another unique index refuses it, on {fields}"),
        };
    }
    InsertOutcome::Rejected { code, detail: meaning(code, error) }
}

/// What a refusal means, in words of our own, or the server's name of the code: never its text.
fn meaning(code: i32, error: &Document) -> String {
    match code {
        121 => "the collection's validator refuses it".to_owned(),
        10_334 | 17_419 | 17_420 => "it is larger than MongoDB's limit of 16 MiB".to_owned(),
        _ => match error.get_str("codeName") {
            Ok(name) if name.len() <= LONGEST_NAME && name.chars().all(|c| c.is_ascii_alphanumeric()) => {
                format!("MongoDB refuses it: {name}")
            }
            _ => format!("MongoDB refuses it with error code {code}"),
        },
    }
}

fn as_index(index: &Bson) -> Option<usize> {
    match index {
        Bson::Int32(index) => usize::try_from(*index).ok(),
        Bson::Int64(index) => usize::try_from(*index).ok(),
        // Some servers have one type of number only.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be whole and small"
        )]
        Bson::Double(index) if index.fract() == 0.0 && (0.0..1e9).contains(index) => Some(*index as usize),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duplicate_key_is_judged_by_its_index() {
        let error = |pattern: Document| doc! { "index": 0, "code": 11_000, "keyPattern": pattern };
        assert_eq!(judge(11_000, &error(doc! { "_id": 1 })), InsertOutcome::SameId);
        assert_eq!(
            judge(11_000, &error(doc! { "export_metadata.duplicate_key": 1 })),
            InsertOutcome::SameDuplicateKey
        );
        for other in [doc! { "email": 1 }, doc! { "_id": 1, "x": 1 }, doc! {}] {
            assert!(matches!(judge(11_000, &error(other)), InsertOutcome::Rejected { code: 11_000, .. }));
        }
    }

    #[test]
    fn an_error_of_the_server_s_state_rejects_nobody() {
        let reply =
            doc! { "ok": 1, "writeErrors": [{ "index": 0, "code": 10_107, "errmsg": "not primary" }] };
        assert!(write_errors(&reply).is_err());
    }

    #[test]
    fn write_errors_that_are_none_say_nothing() {
        for errors in [Bson::from("dup"), Bson::Array(vec![1.into()]), Bson::Null] {
            assert!(write_errors(&doc! { "ok": 1, "n": 1, "writeErrors": errors }).is_err());
        }
        assert!(write_errors(&doc! { "ok": 1, "n": 1 }).unwrap().is_empty());
    }

    #[test]
    fn a_name_of_any_length_is_not_taken_over() {
        assert!(meaning(8_000, &doc! { "codeName": "AtlasError" }).ends_with("AtlasError"));
        assert!(meaning(8_000, &doc! { "codeName": "x".repeat(10_000) }).len() < 100);
    }

    #[test]
    fn the_server_s_text_is_never_taken_over() {
        let reply = doc! { "ok": 1, "writeErrors": [{
            "index": 0, "code": 11_000, "errmsg": "dup key: { email: \"a@b.c\" }",
            "keyPattern": { "email": 1 }, "keyValue": { "email": "a@b.c" },
        }] };
        let errors = write_errors(&reply).unwrap();
        let InsertOutcome::Rejected { detail, .. } = &errors[0].outcome else { panic!("rejected") };
        assert!(!detail.contains("a@b.c"), "{detail}");
    }
}
