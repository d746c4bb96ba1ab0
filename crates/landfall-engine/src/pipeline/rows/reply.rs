//! The answer to a request with rows, as its client gets it and as it is stored under the request's key.

use landfall_core::reject::CellError;
use serde_json::{Map, Value, json};

use super::{RowsLoad, RowsOutcome};
use crate::{
    ledger::Counts,
    public_error::{PublicError, PublicErrorCode},
};

/// The answer to a request with rows.
#[derive(Debug, Clone, PartialEq)]
pub struct RowsReply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl RowsReply {
    /// The answer after `outcome`; `single` if the rows are of one table that the request names.
    #[must_use]
    pub fn new(outcome: &RowsOutcome, single: bool, dry_run: bool) -> Self {
        let mut sum = Counts::default();
        outcome.loads.iter().for_each(|load| sum += load.counts);
        let status = match sum.rejected {
            // A dry run has made nothing, whatever would pass.
            0 if !dry_run => 201,
            0 => 200,
            some if some < sum.read => 200,
            _ => 422,
        };
        let body = match &outcome.loads[..] {
            [load] if single => render_load(load),
            loads => render_loads(loads, sum),
        };
        Self { status, body }
    }

    /// The answer as it is stored: three digits of the status, and the body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        format!("{}{}", self.status, self.body).into_bytes()
    }

    /// The answer that was stored as `bytes`; none if they are not one.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (status, body) = bytes.split_at_checked(3)?;
        Some(Self { status: str::from_utf8(status).ok()?.parse().ok()?, body: serde_json::from_slice(body).ok()? })
    }
}

/// The error if the rejects of a request have no room.
#[must_use]
pub fn quarantine_full() -> PublicError {
    let detail = "some of the rows break rules, and there is no room for more rejects: those that are open have as many bytes as \
                  load.maxProjectRejectBytes allows. Nothing of the request was done. Mend or discard rejects, or send only rows \
                  that break no rule";
    PublicError::new(PublicErrorCode::QuarantineFull, detail).with_retry_after(60)
}

fn render_loads(loads: &[RowsLoad], sum: Counts) -> Value {
    let mut body = sum.append_to(json!({}));
    let errors = |load: &RowsLoad| -> Vec<Value> {
        load.errors.iter().map(|(row, error)| render_error(Some(&load.table), *row, error)).collect()
    };
    body["errors"] = loads.iter().flat_map(errors).collect();
    body["tables"] = loads.iter().map(|load| (load.table.clone(), render_load(load))).collect::<Map<_, _>>().into();
    body
}

fn render_load(load: &RowsLoad) -> Value {
    let RowsLoad { load, counts, errors, .. } = load;
    let mut value = counts.append_to(json!({"load_id": load}));
    value["errors"] = errors.iter().map(|(row, error)| render_error(None, *row, error)).collect();
    value
}

fn render_error(table: Option<&str>, row: u64, error: &CellError) -> Value {
    let mut value = json!({"row": row, "field": error.field, "code": error.code, "message": error.message});
    if let Some(table) = table {
        value["table"] = table.into();
    }
    value
}
