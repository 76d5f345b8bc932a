//! The rules, written from the design and not from the code: what one look of the exporter may do to the collection,
//! and what it must have done when it went through.
//!
//! A row is told from others by its `created_at`, which the scripts never give twice. The rules speak of what is in
//! the collection before and after a look; in between only the exporter writes.
//!
//! What is left open, and allowed either way:
//! - Which of the pending rows a look gets to before it breaks off, or if it looks at the table's tail alone.
//! - Which of two pending rows of the same person leads, if one of them stands behind the last row that was known and
//!   the other before it, as it was changed or came late: the table's tail may be looked at first.
//! - A row that was a duplicate once stays one for automatic looks, although its leader has gone or is somebody else
//!   now: the ledger needn't be asked again. A row whose document somebody else has deleted needn't come back. A manual
//!   look, a lost ledger or a change of the row ends both.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;

use mongo_uplink::config::Updates;
use mongodb::bson::{Bson, Document};

/// The rows of the table, by id, as their documents ought to have them.
pub(super) type Rows = BTreeMap<i64, Document>;

/// What is broken, in a sentence.
pub(super) type Broken = String;

/// How much a look must have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// It broke off, or looked at some rows only.
    Some,
    /// Everything that is pending.
    Pending,
    /// Every row, against MongoDB itself.
    Every,
}

/// A look at the table.
pub(super) struct Look<'a> {
    pub(super) rows: &'a Rows,
    pub(super) before: &'a [Document],
    pub(super) after: &'a [Document],
    pub(super) extent: Extent,
    pub(super) skip_duplicates: bool,
}

/// How many documents a look has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) inserted: u64,
    pub(super) updated: u64,
}

impl AddAssign for Written {
    fn add_assign(&mut self, more: Self) {
        self.inserted += more.inserted;
        self.updated += more.updated;
    }
}

/// The rules, with what has to be remembered to apply them.
pub(super) struct Rules {
    pub(super) updates: Updates,
    /// What tells our documents from those of other hosts.
    pub(super) source: String,
    /// Whether the collection refuses misfits.
    pub(super) validates: bool,
    /// By a row's `created_at`: the row as it was written to its document last.
    written: HashMap<String, Document>,
    /// By id: a row that may be left as it is by automatic looks.
    excused: HashMap<i64, Document>,
    /// The last row that was known when the last look ended, at the least and at the most: it may have broken off.
    known: (i64, i64),
}

impl Rules {
    pub(super) fn new(updates: Updates, source: &str) -> Self {
        Self {
            updates,
            source: source.to_owned(),
            validates: true,
            written: HashMap::new(),
            excused: HashMap::new(),
            known: (0, 0),
        }
    }

    /// The ledger is certainly lost: every row is pending.
    pub(super) fn forget_excuses(&mut self) {
        self.excused.clear();
        self.known = (0, 0);
    }

    /// The collection is another one.
    pub(super) fn collection_dropped(&mut self) {
        self.validates = false;
        self.written.clear();
        self.excused.clear();
        self.known = (0, 0);
    }

    /// Somebody else has deleted a document.
    pub(super) fn document_deleted(&mut self, document: &Document, rows: &Rows) {
        if self.is_ours(document) {
            self.written.remove(identity(document));
            for (id, row) in rows.iter().filter(|(_, row)| identity(row) == identity(document)) {
                self.excused.insert(*id, row.clone());
            }
        }
    }

    /// Judges a look, and remembers what it wrote.
    pub(super) fn judge(&mut self, look: &Look<'_>) -> Result<Written, Broken> {
        let mut written = Written::default();
        for document in look.before {
            let Some(now) = same(document, look.after) else {
                return Err(format!("a document has gone: {document}"));
            };
            written.updated += u64::from(self.judge_kept(look, document, now)?);
        }
        for document in look.after.iter().filter(|document| same(document, look.before).is_none()) {
            self.judge_new(look, document)?;
            written.inserted += 1;
        }
        self.judge_missing(look)?;
        self.excuse_duplicates(look);
        let last = look.rows.last_key_value().map_or(0, |(id, _)| *id);
        let (least, most) = self.known;
        let broke_off = look.extent == Extent::Some;
        self.known = if broke_off { (least.min(last), most.max(last)) } else { (last, last) };
        Ok(written)
    }

    /// A document that was there already. Answers whether it was written.
    fn judge_kept(&mut self, look: &Look<'_>, before: &Document, now: &Document) -> Result<bool, Broken> {
        let row = if self.is_ours(before) { self.row_of(look.rows, before) } else { None };
        let Some((id, row)) = row else {
            return if before == now { Ok(false) } else { Err(format!("changed, and no row's: {now}")) };
        };
        let changed = self.written.get(identity(row)) != Some(row);
        let wanted = changed && self.is_to_be_written(row, before) && self.accepts(row);
        if before == now {
            let left = look.extent == Extent::Some
                || (look.extent == Extent::Pending && self.excused.get(&id) == Some(row));
            return if wanted && !left { Err(format!("not updated: {now} to {row}")) } else { Ok(false) };
        }
        if !wanted {
            return Err(format!("updated without need: {before} to {now}"));
        }
        let mut merged = columns(before);
        merged.extend(row.clone());
        if columns(now) != merged {
            return Err(format!("updated wrongly: {before} to {now} by {row}"));
        }
        let (old, new) = (metadata(before), metadata(now));
        for name in ["exported_at", "export_id", "original_sqlite_id", "export_version", "source"] {
            if old.get(name) != new.get(name) {
                return Err(format!("an update has changed {name}: {old} to {new}"));
            }
        }
        if new.get_str("updated_at").is_err() || new.get_str("updated_by").is_err() {
            return Err(format!("an update that isn't told: {new}"));
        }
        self.written.insert(identity(row).to_owned(), row.clone());
        Ok(true)
    }

    /// A document that wasn't there before.
    fn judge_new(&mut self, look: &Look<'_>, document: &Document) -> Result<(), Broken> {
        let Some((id, row)) = self.row_of(look.rows, document).filter(|_| self.is_ours(document)) else {
            return Err(format!("written, and no row's: {document}"));
        };
        let twins =
            look.after.iter().filter(|other| self.is_ours(other) && identity(other) == identity(document));
        if twins.count() > 1 {
            return Err(format!("twice in the collection: {document}"));
        }
        if columns(document) != *row {
            return Err(format!("written wrongly: {document} instead of {row}"));
        }
        if !self.accepts(row) {
            return Err(format!("written although the collection refuses it: {document}"));
        }
        self.judge_metadata(id, document)?;
        if look.skip_duplicates
            && let Some(person) = person(row)
        {
            let held = look.after.iter().filter(|other| same_id(other, document).is_none()).any(|other| {
                self::person(other) == Some(person)
                    // Somebody who became that person in this very look may have come later.
                    && same(other, look.before).is_none_or(|old| self::person(old) == Some(person))
            });
            if held {
                return Err(format!("written although it is a duplicate: {document}"));
            }
            let earlier = look.extent != Extent::Some
                && !look.before.iter().any(|old| self::person(old) == Some(person))
                && look.rows.range(..id).any(|(earlier, other)| {
                    let in_order = *earlier > self.known.1 || id <= self.known.0;
                    in_order
                        && self::person(other) == Some(person)
                        && self.accepts(other)
                        && self.own(look.after, other).is_none()
                        && self.excused.get(earlier) != Some(other)
                });
            if earlier {
                return Err(format!("written although an earlier row is the same person's: {document}"));
            }
        }
        self.written.insert(identity(row).to_owned(), row.clone());
        Ok(())
    }

    fn judge_metadata(&self, id: i64, document: &Document) -> Result<(), Broken> {
        let metadata = metadata(document);
        let word = |name| metadata.get_str(name).unwrap_or_default();
        let well = word("original_sqlite_id") == id.to_string()
            && word("export_version") == "1.0"
            && word("export_id").starts_with("export_2")
            && word("exported_at").len() == "2024-09-27T14:30:22.123Z".len()
            && word("source") == self.source
            && !metadata.contains_key("updated_at")
            && !metadata.contains_key("updated_by");
        if well { Ok(()) } else { Err(format!("wrong metadata of row {id}: {metadata}")) }
    }

    /// Rows without a document, after a look that had to deal with them.
    fn judge_missing(&self, look: &Look<'_>) -> Result<(), Broken> {
        if look.extent == Extent::Some {
            return Ok(());
        }
        for (id, row) in look.rows {
            let excused = look.extent == Extent::Pending && self.excused.get(id) == Some(row);
            let duplicate = look.skip_duplicates && self.is_held(look, row);
            if self.own(look.after, row).is_none() && self.accepts(row) && !duplicate && !excused {
                return Err(format!("lost: {row}"));
            }
        }
        Ok(())
    }

    fn excuse_duplicates(&mut self, look: &Look<'_>) {
        for (id, row) in look.rows {
            if look.skip_duplicates && self.own(look.after, row).is_none() && self.is_held(look, row) {
                self.excused.insert(*id, row.clone());
            }
        }
    }

    /// Whether somebody's document is the row's person's, before or after the look.
    fn is_held(&self, look: &Look<'_>, row: &Document) -> bool {
        person(row).is_some_and(|person| {
            look.before.iter().chain(look.after).any(|other| self::person(other) == Some(person))
        })
    }

    /// What the ledger has to say of a row, given the collection: any of these outcomes.
    pub(super) fn outcomes(
        &self,
        id: i64,
        row: &Document,
        documents: &[Document],
        skip: bool,
    ) -> Vec<&'static str> {
        let mut outcomes = Vec::new();
        let excused = self.excused.get(&id) == Some(row);
        if self.own(documents, row).is_some() {
            // A refused update is one that the setting asks for.
            return if self.accepts(row) { vec!["exported"] } else { vec!["exported", "rejected"] };
        }
        let held = person(row)
            .is_some_and(|person| documents.iter().any(|other| self::person(other) == Some(person)));
        if excused {
            outcomes.extend(["exported", "duplicate"]);
        }
        if skip && held {
            outcomes.push("duplicate");
        }
        if !self.accepts(row) {
            outcomes.push("rejected");
        }
        outcomes
    }

    /// The row's own document.
    pub(super) fn own<'a>(&self, documents: &'a [Document], row: &Document) -> Option<&'a Document> {
        documents.iter().find(|document| self.is_ours(document) && identity(document) == identity(row))
    }

    fn row_of<'a>(&self, rows: &'a Rows, document: &Document) -> Option<(i64, &'a Document)> {
        rows.iter().find(|(_, row)| identity(row) == identity(document)).map(|(id, row)| (*id, row))
    }

    /// Whether the setting lets a changed row be written over its document.
    fn is_to_be_written(&self, row: &Document, document: &Document) -> bool {
        match self.updates {
            Updates::Always => true,
            Updates::Never => false,
            // All of a form, so that they compare as texts.
            Updates::Newer => row.get_str("updated_at").ok() >= document.get_str("updated_at").ok(),
        }
    }

    fn accepts(&self, row: &Document) -> bool {
        !(self.validates && row.get_str("city").is_ok_and(|city| city.starts_with("misfit")))
    }

    fn is_ours(&self, document: &Document) -> bool {
        metadata(document).get_str("source").is_ok_and(|source| source == self.source)
    }
}

fn identity(document: &Document) -> &str {
    document.get_str("created_at").unwrap_or_default()
}

fn person(document: &Document) -> Option<&str> {
    // The scripts' persons have both or none.
    document.get_str("email").ok().filter(|email| !email.is_empty())
}

fn columns(document: &Document) -> Document {
    let mut columns = document.clone();
    columns.remove("_id");
    columns.remove("export_metadata");
    columns
}

fn metadata(document: &Document) -> Document {
    document.get_document("export_metadata").cloned().unwrap_or_default()
}

fn same<'a>(document: &Document, among: &'a [Document]) -> Option<&'a Document> {
    among.iter().find(|other| same_id(other, document).is_some())
}

fn same_id<'a>(one: &'a Document, other: &Document) -> Option<&'a Bson> {
    one.get("_id").filter(|id| Some(*id) == other.get("_id"))
}
