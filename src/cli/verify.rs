//! `mongo-uplink verify`: is in MongoDB what is in SQLite?

use std::cell::RefCell;
use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::status::pretty;
use super::voice::Voice;
use super::{CommandError, Finding, Options, cell, shown};
use crate::audit::{self, Kind, Surroundings, Verified};
use crate::config::{Config, Sources};
use crate::ledger::{self, Ledger};
use crate::source::source_id;
use crate::target::{Target, Ways};

/// How it is told.
#[derive(Args, Clone, Debug)]
pub struct Verify {
    #[command(flatten)]
    options: Options,

    /// How many differences are listed at most, 0 to 100000; all are counted.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    limit: u32,

    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn options(&self) -> &Options {
        &self.options
    }
}

/// Compares and tells: [`Finding::Wrong`] if anything differs.
///
/// # Errors
/// See [`CommandError`].
pub fn verify(sources: &Sources, wanted: &Verify) -> Result<Finding, CommandError> {
    let config = Config::load(sources)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let verified = runtime.block_on(compare(&config, wanted));
    runtime.shutdown_background();
    let (verified, has_ledger) = verified?;
    let text = if wanted.json { as_json(&verified, has_ledger) } else { as_text(&verified, has_ledger) };
    Voice::new().say(&text)?;
    Ok(if verified.differing() == 0 { Finding::Well } else { Finding::Wrong })
}

async fn compare(config: &Config, wanted: &Verify) -> Result<(Verified, bool), CommandError> {
    let source = source_id(&config.sqlite)?;
    let target =
        Ways::new(config.mongodb.clone(), config.probe.online_interval).connect(config.probe.timeout).await?;
    let ledger = ledger_of(config, &source, &target).await?;
    let voice = RefCell::new(Voice::new());
    let progress = |done: u64, total: u64| {
        if !wanted.json {
            voice.borrow_mut().progress(&format!("{done} of {total} rows compared"));
        }
    };
    let around = Surroundings {
        config,
        source: &source,
        target: &target,
        ledger: ledger.as_ref(),
        is_live: ledger::is_taken(&config.state.directory),
        limit: usize::try_from(wanted.limit).unwrap_or(usize::MAX),
        progress: &progress,
    };
    let verified = audit::verify(&around).await;
    voice.borrow_mut().rest();
    target.close().await;
    Ok((verified?, ledger.is_some()))
}

/// The ledger, if there is one that speaks of this table and this collection.
async fn ledger_of(config: &Config, source: &str, target: &Target) -> Result<Option<Ledger>, CommandError> {
    let collection = target.current_id().await?;
    let Ok(ledger) = Ledger::open_to_read(&config.state.directory) else { return Ok(None) };
    let is = |name, value: Option<&str>| ledger.fact(name).is_ok_and(|fact| fact.as_deref() == value);
    let speaks_of_it =
        collection.is_some() && is("source", Some(source)) && is("target", collection.as_deref());
    Ok(speaks_of_it.then_some(ledger))
}

fn as_json(verified: &Verified, has_ledger: bool) -> String {
    let mut value = json!({ "verified": verified.differing() == 0, "differing": verified.differing() });
    if let (Value::Object(all), Ok(Value::Object(counts))) = (&mut value, serde_json::to_value(verified)) {
        all.insert("ledger".to_owned(), has_ledger.into());
        all.extend(counts);
    }
    pretty(&value)
}

fn as_text(verified: &Verified, has_ledger: bool) -> String {
    let Verified { rows, same, duplicates, rejected, held, missing, different, gone, extra, .. } = verified;
    // Writing to a String can't fail.
    let mut text = format!("{rows} rows: {same} are in MongoDB as they are here\n");
    for (count, words) in [
        (duplicates, "are duplicates of a document that is there"),
        (rejected, "were refused by MongoDB, and are only here: mongo-uplink records --outcome rejected"),
        (held, "are held since a rollback, and are only here: mongo-uplink records --outcome held"),
        (gone, "were deleted here while they were looked at"),
        (missing, "are missing in MongoDB"),
        (different, "are different in MongoDB"),
    ] {
        if *count > 0 {
            let _ = writeln!(text, "{count} {words}");
        }
    }
    if *extra > 0 {
        let _ = writeln!(text, "{extra} documents of this table have no row here");
    }
    if !has_ledger {
        text += "No memory of this table and collection: rows that were refused or held count as missing.\n";
    }
    if !verified.differences.is_empty() {
        text += &list(verified);
    }
    let left = verified.differing().saturating_sub(verified.differences.len() as u64);
    if left > 0 {
        let _ = writeln!(text, "{left} more aren't listed: --limit");
    }
    match verified.differing() {
        0 => text += "Nothing differs.\n",
        some => {
            let _ = writeln!(text, "{some} differ.");
        }
    }
    text
}

fn list(verified: &Verified) -> String {
    let keys = verified.differences.iter().map(|difference| cell(&difference.key));
    let width = keys.map(|key| key.chars().count()).max().unwrap_or(0).max(3);
    let mut text = format!("KIND       {:width$}  {:24}  WHAT\n", "KEY", "_ID");
    for difference in &verified.differences {
        let kind = match difference.kind {
            Kind::Missing => "missing",
            Kind::Different => "different",
            Kind::Extra => "extra",
        };
        let columns: Vec<String> = difference.columns.iter().map(|column| shown(column)).collect();
        let parts = [columns.join(", "), difference.why.to_owned()];
        let what: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        let (key, id) = (cell(&difference.key), cell(&difference.id));
        let _ = writeln!(text, "{kind:9}  {key:width$}  {id:24}  {}", what.join("; "));
    }
    text
}
