//! The shapes of bodies.

use landfall_core::reject::ErrorCode;
use landfall_engine::{job::JobState, ledger::Mode, origin::Origin};
use serde_json::{Value, json};

use super::schema_reference;

/// All shapes, by name.
pub(super) fn schemas() -> Value {
    let mut all = serde_json::Map::new();
    for shapes in [of_service(), of_tables(), of_loads(), of_rejects()] {
        if let Value::Object(shapes) = shapes {
            all.extend(shapes);
        }
    }
    Value::Object(all)
}

/// An object of which all `properties` are required.
fn object(properties: Value) -> Value {
    let required: Vec<String> = properties.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
    json!({"type": "object", "properties": properties, "required": required})
}

/// An object that tells what became of records, with `more`.
fn counts(mut more: Value) -> Value {
    for name in ["read", "inserted", "updated", "unchanged", "rejected"] {
        more[name] = count();
    }
    object(more)
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": i64::MAX})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn maybe(kind: &str) -> Value {
    json!({"type": [kind, "null"]})
}

fn list(name: &str) -> Value {
    json!({"type": "array", "items": schema_reference(name)})
}

fn row_error(table: bool) -> Value {
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let mut properties = json!({
        "row": {"type": "integer", "minimum": 0, "description": "The row, counted from 0"},
        "field": maybe("string"), "code": {"type": "string", "enum": codes}, "message": text(),
    });
    if table {
        properties["table"] = text();
    }
    object(properties)
}

fn of_service() -> Value {
    json!({
        "Health": object(json!({"status": {"const": "ok"}})),
        "Readiness": object(json!({
            "status": {"type": "string", "enum": ["ready", "unavailable"]},
            "checks": {"type": "object", "additionalProperties": {"type": "string", "enum": ["ok", "stale", "busy", "full", "read-only", "denied", "unavailable"]}},
        })),
        "Problem": {
            "type": "object", "description": "RFC 9457",
            "properties": {"type": text(), "title": text(), "status": {"type": "integer"}, "detail": text(), "offset": count()},
            "required": ["type", "title", "status", "detail"],
        },
        "Export": object(json!({
            "export_id": text(), "report": text(), "url": text(), "expires_at": text(), "rows": count(), "bytes": count(),
        })),
        "Reports": object(json!({"reports": {"type": "array", "items": object(json!({
            "name": text(), "title": maybe("string"), "description": maybe("string"),
            "parameters": {"type": "array", "items": {"type": "object"}}, "refresh": maybe("string"), "refreshed_at": maybe("string"),
        }))}})),
    })
}

fn of_tables() -> Value {
    let row = json!({"type": "object", "description": "The fields of the table; a field that is left out is missing"});
    json!({
        "Tables": object(json!({"tables": {"type": "array", "items": {
            "type": "object", "properties": {"name": text(), "rows": count()}, "required": ["name"],
        }}})),
        "Table": {
            "type": "object",
            "properties": {
                "name": text(), "rows": count(),
                "dialect": {"type": "object", "description": "A Table Dialect: https://datapackage.org/standard/table-dialect/"},
                "encoding": {"type": "string", "description": "Of files, and of rows that are sent as CSV"},
                "schema": {"type": "object", "description": "A Table Schema: https://datapackage.org/standard/table-schema/"},
            },
            "required": ["name", "dialect", "encoding", "schema"],
        },
        "Page": object(json!({"rows": {"type": "array", "items": {"type": "object"}}, "next": maybe("string")})),
        "Rows": {"type": "array", "items": row, "minItems": 1},
        "RowsOfTables": {"type": "object", "additionalProperties": {"type": "array", "items": row}, "minProperties": 1},
        "RowError": row_error(false),
        "RowErrorOfTable": row_error(true),
        "RowsAnswer": counts(json!({"load_id": maybe("integer"), "errors": list("RowError")})),
        "RowsOfTablesAnswer": counts(json!({
            "errors": list("RowErrorOfTable"),
            "tables": {"type": "object", "additionalProperties": schema_reference("RowsAnswer")},
        })),
    })
}

fn of_loads() -> Value {
    let modes = [Mode::Append, Mode::Upsert, Mode::Replace, Mode::Retry, Mode::Rows].map(Mode::as_str);
    json!({
        "Load": counts(json!({
            "load_id": {"type": "integer"}, "table": text(), "source": text(),
            "origin": {"type": "string", "enum": Origin::ALL.map(Origin::as_str)}, "mode": {"type": "string", "enum": modes},
            "on_conflict": text(), "state": text(), "started_at": text(), "changed_at": text(), "seconds": {"type": "number"},
            "offset": count(), "digest": text(),
        })),
        "Loads": object(json!({"loads": list("Load"), "next": maybe("integer")})),
        "Task": {
            "type": "object",
            "properties": {
                "task_id": text(), "kind": text(), "state": {"type": "string", "enum": JobState::ALL.map(JobState::as_str)},
                "tables": {"type": "array", "items": text()}, "file": maybe("string"), "bytes": maybe("integer"),
                "created_at": text(), "started_at": maybe("string"), "ended_at": maybe("string"), "attempts": count(),
                "worker": {"type": ["string", "null"], "description": "Machine and process that do it"},
                "problem": {"oneOf": [{"type": "null"}, schema_reference("Problem")]}, "progress": maybe("object"),
                "dry_run": {"type": "boolean", "description": "Nothing of what is told was kept"},
                "load_id": maybe("integer"), "load_state": text(), "read": count(), "inserted": count(), "updated": count(),
                "unchanged": count(), "rejected": count(), "seconds": {"type": "number"},
                "reasons": {"type": "array", "items": {"type": "object"}},
                "released": {"type": "array", "items": {"type": "object"}}, "removed": count(),
                "closed_rejects": object(json!({"same_content": count(), "same_source": count()})),
                "refusal": object(json!({"reason": text(), "removes": count(), "keeps": count(), "rejects": count()})),
                "status": {"type": "integer"}, "answer": {"type": "object"},
                "backup": {"type": "object"}, "restore": {"type": "object"},
                "links": {"type": "object", "additionalProperties": text()},
            },
            "required": ["task_id", "kind", "state", "tables", "created_at", "attempts", "links"],
        },
        "Tasks": object(json!({"tasks": list("Task"), "next": maybe("string")})),
        "WantedBackup": {
            "type": "object",
            "properties": {
                "tables": {"type": "array", "items": text()},
                "codec": {"type": ["string", "null"], "enum": ["zstd", "deflate", "snappy", "bzip2", "xz", "none", null]},
            },
            "additionalProperties": false,
        },
        "Backups": object(json!({"next": maybe("string"), "backups": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "set": text(), "sound": {"type": "boolean"}, "started_at": text(), "ended_at": text(), "snapshot": text(),
                "codec": text(), "tables": {"type": "array", "items": object(json!({
                    "table": text(), "rows": count(), "bytes": count(), "sha256": text(), "digest": text(),
                    "seconds": {"type": "number"},
                }))},
            },
            "required": ["set", "sound", "tables"],
        }}})),
    })
}

fn of_rejects() -> Value {
    json!({
        "Reject": {
            "type": "object",
            "properties": {
                "reject_id": {"type": "integer"}, "load_id": {"type": "integer"}, "table": text(), "source": text(),
                "record": count(), "line": count(), "offset": count(), "raw": text(), "raw_escaped": {"type": "boolean"},
                "raw_length": {"type": "integer", "minimum": 0, "maximum": i64::MAX, "description": "Bytes of the record in all; raw has at most 65,536 of them, and GET /v1/rejects/{reject}/raw all"},
                "state": text(), "errors": {"type": "array", "items": {"type": "object"}},
                "events": {"type": "array", "items": object(json!({"action": text(), "load_id": {"type": "integer"}, "at": text()}))},
            },
            "required": ["reject_id", "load_id", "table", "source", "record", "line", "offset", "raw", "raw_length", "state", "errors"],
        },
        "Rejects": object(json!({"rejects": list("Reject"), "count": count(), "count_is_exact": {"type": "boolean"}, "next": maybe("integer")})),
        "RejectGroups": object(json!({"groups": {"type": "array", "items": object(json!({
            "table": text(), "code": text(), "field": maybe("string"), "count": count(), "example": maybe("string"),
        }))}})),
        "Corrected": object(json!({"reject": schema_reference("Reject"), "loads": {"type": "array", "items": {"type": "object"}}})),
        "Retried": object(json!({"loads": {"type": "array", "items": counts(json!({
            "load_id": {"type": "integer"}, "table": text(), "reasons": {"type": "array", "items": {"type": "object"}},
        }))}})),
    })
}
