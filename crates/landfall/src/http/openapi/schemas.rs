//! The shapes of bodies.

use landfall_core::reject::ErrorCode;
use landfall_engine::{job::JobState, ledger::Mode, origin::Origin};
use serde_json::{Value, json};

use super::operation::schema_reference;

/// All shapes, by name.
pub(super) fn all_schemas() -> Value {
    let mut all = serde_json::Map::new();
    for shapes in [service_schemas(), table_schemas(), load_schemas(), reject_schemas()] {
        if let Value::Object(shapes) = shapes {
            all.extend(shapes);
        }
    }
    Value::Object(all)
}

/// An object of which all `properties` are required.
fn object_schema(properties: Value) -> Value {
    let required: Vec<String> = properties.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
    json!({"type": "object", "properties": properties, "required": required})
}

/// An object that tells what became of records, with `more`.
fn counts_schema(mut more: Value) -> Value {
    for name in ["read", "inserted", "updated", "unchanged", "rejected"] {
        more[name] = count_schema();
    }
    object_schema(more)
}

fn count_schema() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": i64::MAX})
}

fn text_schema() -> Value {
    json!({"type": "string"})
}

fn nullable_schema(kind: &str) -> Value {
    json!({"type": [kind, "null"]})
}

fn list_schema(name: &str) -> Value {
    json!({"type": "array", "items": schema_reference(name)})
}

fn row_error(table: bool) -> Value {
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let mut properties = json!({
        "row": {"type": "integer", "minimum": 0, "description": "The row, counted from 0"},
        "field": nullable_schema("string"), "code": {"type": "string", "enum": codes}, "message": text_schema(),
    });
    if table {
        properties["table"] = text_schema();
    }
    object_schema(properties)
}

fn service_schemas() -> Value {
    json!({
        "Health": object_schema(json!({"status": {"const": "ok"}})),
        "Readiness": object_schema(json!({
            "status": {"type": "string", "enum": ["ready", "unavailable"]},
            "checks": {"type": "object", "additionalProperties": {"type": "string", "enum": ["ok", "stale", "busy", "full", "read-only", "denied", "unavailable"]}},
        })),
        "Problem": {
            "type": "object", "description": "RFC 9457",
            "properties": {"type": text_schema(), "title": text_schema(), "status": {"type": "integer"}, "detail": text_schema(), "offset": count_schema()},
            "required": ["type", "title", "status", "detail"],
        },
        "Export": object_schema(json!({
            "export_id": text_schema(), "report": text_schema(), "url": text_schema(), "expires_at": text_schema(), "rows": count_schema(), "bytes": count_schema(),
        })),
        "Reports": object_schema(json!({"reports": {"type": "array", "items": object_schema(json!({
            "name": text_schema(), "title": nullable_schema("string"), "description": nullable_schema("string"),
            "parameters": {"type": "array", "items": {"type": "object"}}, "refresh": nullable_schema("string"), "refreshed_at": nullable_schema("string"),
        }))}})),
    })
}

/// A task with its outcome, which depends on its kind.
fn task_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "task_id": text_schema(), "kind": text_schema(), "state": {"type": "string", "enum": JobState::ALL.map(JobState::as_str)},
            "tables": {"type": "array", "items": text_schema()}, "file": nullable_schema("string"), "bytes": nullable_schema("integer"),
            "created_at": text_schema(), "started_at": nullable_schema("string"), "ended_at": nullable_schema("string"), "attempts": count_schema(),
            "worker": {"type": ["string", "null"], "description": "Machine and process that do it"},
            "problem": {"oneOf": [{"type": "null"}, schema_reference("Problem")]}, "progress": nullable_schema("object"),
            "given_up": {"type": "boolean", "description": "Its workers died again and again; it may be tried again"},
            "dry_run": {"type": "boolean", "description": "Nothing of what is told was kept"},
            "load_id": nullable_schema("integer"), "load_state": text_schema(), "read": count_schema(), "inserted": count_schema(), "updated": count_schema(),
            "unchanged": count_schema(), "rejected": count_schema(), "seconds": {"type": "number"},
            "reasons": {"type": "array", "items": {"type": "object"}}, "stray_quotes": count_schema(),
            "released": {"type": "array", "items": {"type": "object"}}, "removed": count_schema(),
            "closed_rejects": object_schema(json!({"same_content": count_schema(), "same_source": count_schema()})),
            "refusal": object_schema(json!({"reason": text_schema(), "removes": count_schema(), "keeps": count_schema(), "rejects": count_schema()})),
            "status": {"type": "integer"}, "answer": {"type": "object"},
            "backup": {"type": "object"}, "restore": {"type": "object"},
            "links": {"type": "object", "additionalProperties": text_schema()},
        },
        "required": ["task_id", "kind", "state", "tables", "created_at", "attempts", "links"],
    })
}

fn table_schemas() -> Value {
    let row = json!({"type": "object", "description": "The fields of the table; a field that is left out is missing"});
    json!({
        "Tables": object_schema(json!({"tables": {"type": "array", "items": {
            "type": "object", "properties": {"name": text_schema(), "rows": count_schema()}, "required": ["name"],
        }}})),
        "Table": {
            "type": "object",
            "properties": {
                "name": text_schema(), "rows": count_schema(),
                "dialect": {"type": "object", "description": "A Table Dialect: https://datapackage.org/standard/table-dialect/"},
                "encoding": {"type": "string", "description": "Of files, and of rows that are sent as CSV"},
                "schema": {"type": "object", "description": "A Table Schema: https://datapackage.org/standard/table-schema/"},
            },
            "required": ["name", "dialect", "encoding", "schema"],
        },
        "Page": object_schema(json!({"rows": {"type": "array", "items": {"type": "object"}}, "next": nullable_schema("string")})),
        "Rows": {"type": "array", "items": row, "minItems": 1},
        "RowsOfTables": {"type": "object", "additionalProperties": {"type": "array", "items": row}, "minProperties": 1},
        "RowError": row_error(false),
        "RowErrorOfTable": row_error(true),
        "RowsAnswer": counts_schema(json!({"load_id": nullable_schema("integer"), "errors": list_schema("RowError")})),
        "RowsOfTablesAnswer": counts_schema(json!({
            "errors": list_schema("RowErrorOfTable"),
            "tables": {"type": "object", "additionalProperties": schema_reference("RowsAnswer")},
        })),
    })
}

fn load_schemas() -> Value {
    let modes = [Mode::Append, Mode::Upsert, Mode::Replace, Mode::Retry, Mode::Rows].map(Mode::as_str);
    json!({
        "Load": counts_schema(json!({
            "load_id": {"type": "integer"}, "table": text_schema(), "source": text_schema(),
            "origin": {"type": "string", "enum": Origin::ALL.map(Origin::as_str)}, "mode": {"type": "string", "enum": modes},
            "on_conflict": text_schema(), "state": text_schema(), "started_at": text_schema(), "changed_at": text_schema(), "seconds": {"type": "number"},
            "offset": count_schema(), "digest": text_schema(),
        })),
        "Loads": object_schema(json!({"loads": list_schema("Load"), "next": nullable_schema("integer")})),
        "Task": task_schema(),
        "Tasks": object_schema(json!({"tasks": list_schema("Task"), "next": nullable_schema("string")})),
        "WantedBackup": {
            "type": "object",
            "properties": {
                "tables": {"type": "array", "items": text_schema()},
                "codec": {"type": ["string", "null"], "enum": ["zstd", "deflate", "snappy", "bzip2", "xz", "none", null]},
            },
            "additionalProperties": false,
        },
        "Backups": object_schema(json!({"next": nullable_schema("string"), "backups": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "set": text_schema(), "sound": {"type": "boolean"}, "started_at": text_schema(), "ended_at": text_schema(), "snapshot": text_schema(),
                "codec": text_schema(), "tables": {"type": "array", "items": object_schema(json!({
                    "table": text_schema(), "rows": count_schema(), "bytes": count_schema(), "sha256": text_schema(), "digest": text_schema(),
                    "seconds": {"type": "number"},
                }))},
            },
            "required": ["set", "sound", "tables"],
        }}})),
    })
}

fn reject_schemas() -> Value {
    json!({
        "Reject": {
            "type": "object",
            "properties": {
                "reject_id": {"type": "integer"}, "load_id": {"type": "integer"}, "table": text_schema(), "source": text_schema(),
                "record": count_schema(), "line": count_schema(), "offset": count_schema(), "raw": text_schema(), "raw_escaped": {"type": "boolean"},
                "raw_length": {"type": "integer", "minimum": 0, "maximum": i64::MAX, "description": "Bytes of the record in all; raw has at most 65,536 of them, and GET /v1/rejects/{reject}/raw all"},
                "state": text_schema(), "errors": {"type": "array", "items": {"type": "object"}},
                "events": {"type": "array", "items": object_schema(json!({"action": text_schema(), "load_id": {"type": "integer"}, "at": text_schema()}))},
            },
            "required": ["reject_id", "load_id", "table", "source", "record", "line", "offset", "raw", "raw_length", "state", "errors"],
        },
        "Rejects": object_schema(json!({"rejects": list_schema("Reject"), "count": count_schema(), "count_is_exact": {"type": "boolean"}, "next": nullable_schema("integer")})),
        "RejectGroups": object_schema(json!({"groups": {"type": "array", "items": object_schema(json!({
            "table": text_schema(), "code": text_schema(), "field": nullable_schema("string"), "count": count_schema(), "example": nullable_schema("string"),
        }))}})),
        "Corrected": object_schema(json!({"reject": schema_reference("Reject"), "loads": {"type": "array", "items": {"type": "object"}}})),
        "Retried": object_schema(json!({"loads": {"type": "array", "items": counts_schema(json!({
            "load_id": {"type": "integer"}, "table": text_schema(), "reasons": {"type": "array", "items": {"type": "object"}},
        }))}})),
    })
}
