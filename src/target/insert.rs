//! Inserting a batch, with one verdict for each document.
//!
//! The `insert` command is sent as a command of its own, not by the driver's `insert_many`: its reply names the index
//! of a duplicate key by its fields (`keyPattern`), where the driver keeps only a text that quotes the values.

use std::time::Duration;

use mongodb::bson::raw::{RawDocument, RawDocumentBuf};
use mongodb::bson::{Bson, Document, cstr, doc};

use super::encode::{chunks, with_array};
use super::{Target, failure, write_concern};
use crate::report::{Failure, Reason};

/// A document of more bytes is refused by every MongoDB (`maxBsonObjectSize`).
pub const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;

/// Documents of more bytes together are sent in several commands: one may be a little larger than a document.
pub(super) const COMMAND_BYTES: usize = 12 * 1024 * 1024;

/// DuplicateKey.
const DUPLICATE_KEY: i32 = 11_000;

/// The codes of a duplicate key: today's, and those of old servers.
const DUPLICATE_KEYS: [i32; 3] = [DUPLICATE_KEY, 11_001, 12_582];

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InsertOutcome {
    /// Written; acknowledged by a majority and journaled.
    Inserted,
    /// A document with this `_id` is there.
    SameId,
    /// A document with this value of the unique index on the duplicate key is there.
    SameDuplicateKey,
    /// Refused for what is in it.
    Rejected {
        /// The server's error code.
        code: i32,
        /// What the code means. Quotes nothing.
        detail: String,
    },
}

impl Target {
    /// Inserts documents, each with its `_id`, unordered. The answer has one outcome for each, in their order.
    ///
    /// # Errors
    /// A [`Failure`] means that the outcome of *every* document is unknown: any of them may have been written.
    pub async fn insert(&self, documents: &[&RawDocument]) -> Result<Vec<InsertOutcome>, Failure> {
        self.insert_within(self.deadline, documents).await
    }

    /// As [`Target::insert`], with a deadline of its own for each command.
    ///
    /// # Errors
    /// See [`Target::insert`].
    pub async fn insert_within(
        &self,
        deadline: Duration,
        documents: &[&RawDocument],
    ) -> Result<Vec<InsertOutcome>, Failure> {
        self.write(deadline, Verb::Insert, documents).await
    }

    /// Sends documents or statements, unordered, in as few commands as hold them, with our write concern. A command that
    /// is refused as a whole for what is in it is sent again in halves, until it is known for what.
    pub(super) async fn write(
        &self,
        deadline: Duration,
        verb: Verb,
        items: &[&RawDocument],
    ) -> Result<Vec<InsertOutcome>, Failure> {
        let mut outcomes = vec![InsertOutcome::Inserted; items.len()];
        let mut refused = None;
        let mut accepted = false;
        // The last of them is the next one.
        let mut parts: Vec<_> =
            chunks(items, COMMAND_BYTES, |item| item.as_bytes().len()).into_iter().rev().collect();
        while let Some(part) = parts.pop() {
            match self.send(deadline, verb, &items[part.clone()]).await? {
                Ok(found) => {
                    accepted = true;
                    outcomes.splice(part, found);
                }
                Err(code) if part.len() == 1 => {
                    refused = refused.or(Some(code));
                    outcomes[part.start] =
                        InsertOutcome::Rejected { code, detail: meaning(code, &Document::new()) };
                }
                Err(_) => {
                    let middle = part.start + part.len() / 2;
                    parts.extend([middle..part.end, part.start..middle]);
                }
            }
        }
        match refused {
            // Nothing at all was accepted: then it isn't said that documents are the cause.
            Some(code) if !accepted => Err(failure::of_code(code)),
            _ => Ok(outcomes),
        }
    }

    /// Sends one command. Its reply's write errors speak of documents alone; a command refused for what is in it is the
    /// inner error, with its code; whatever else went wrong is a failure.
    async fn send(
        &self,
        deadline: Duration,
        verb: Verb,
        items: &[&RawDocument],
    ) -> Result<Result<Vec<InsertOutcome>, i32>, Failure> {
        let mut command = RawDocumentBuf::new();
        let (name, list) = match verb {
            Verb::Insert => (cstr!("insert"), cstr!("documents")),
            Verb::Update => (cstr!("update"), cstr!("updates")),
            Verb::Delete => (cstr!("delete"), cstr!("deletes")),
        };
        let unencodable = || Failure::new(Reason::Server, "a command can't be encoded");
        command.append(name, self.collection.name());
        command.append(cstr!("ordered"), false);
        let concern = RawDocumentBuf::try_from(&write_concern(deadline)).map_err(|_| unencodable())?;
        command.append(cstr!("writeConcern"), concern);
        let command = with_array(command, list, items).ok_or_else(unencodable)?;
        let sent = self.within(deadline, name.as_str(), async {
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
        let mut outcomes = vec![InsertOutcome::Inserted; items.len()];
        for WriteErrorAt { index, outcome } in write_errors(&reply)? {
            *outcomes.get_mut(index).ok_or_else(unreadable)? = outcome;
        }
        let inserted = outcomes.iter().filter(|outcome| **outcome == InsertOutcome::Inserted).count();
        let told = reply.get("n").and_then(as_index);
        if verb == Verb::Insert && told.is_some_and(|told| told != inserted) {
            return Err(unreadable());
        }
        Ok(Ok(outcomes))
    }
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Insert,
    Update,
    Delete,
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
    let Ok(errors) = reply.get_array("writeErrors") else { return Ok(Vec::new()) };
    errors
        .iter()
        .filter_map(Bson::as_document)
        .map(|error| {
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
            Ok(name) if name.chars().all(|c| c.is_ascii_alphanumeric()) => {
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
