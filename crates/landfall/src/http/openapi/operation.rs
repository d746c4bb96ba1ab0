//! The description of one route in the OpenAPI document, and the parameters that several routes share.

use serde_json::{Value, json};

/// The description of one route. What all routes have alike is added by `build_document`.
pub(in crate::http) struct Operation {
    pub(in crate::http) summary: &'static str,
    pub(in crate::http) description: Option<&'static str>,
    pub(in crate::http) tag: &'static str,
    /// Parameters of the query.
    pub(in crate::http) query: Vec<Value>,
    /// Parameters in headers.
    pub(in crate::http) headers: Vec<Value>,
    pub(in crate::http) body: Option<Value>,
    /// Answers: status, media type, schema.
    pub(in crate::http) answers: Vec<(u16, &'static str, Value)>,
    /// Statuses of problems that not every route has.
    pub(in crate::http) problems: Vec<u16>,
}

impl Operation {
    /// A route that answers with a JSON document of the schema `answer`.
    pub(in crate::http) fn new(tag: &'static str, summary: &'static str, answer: Value) -> Self {
        let answers = vec![(200, "application/json", answer)];
        let (query, headers, problems) = (Vec::new(), Vec::new(), Vec::new());
        Self { summary, description: None, tag, query, headers, body: None, answers, problems }
    }

    pub(in crate::http) fn with_description(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    pub(in crate::http) fn with_query(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.query.extend(parameters);
        self
    }
}

/// A parameter of the query.
pub(in crate::http) fn query_parameter(name: &str, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

/// A parameter that may be any text.
pub(in crate::http) fn text_parameter(name: &str, description: &str) -> Value {
    query_parameter(name, description, json!({"type": "string"}))
}

/// A parameter that is a number from 1 on.
pub(in crate::http) fn number_parameter(name: &str, description: &str) -> Value {
    query_parameter(name, description, json!({"type": "integer", "minimum": 1, "maximum": i64::MAX}))
}

/// A parameter that is true or false, and false if it is left out.
pub(in crate::http) fn flag_parameter(name: &str, description: &str) -> Value {
    query_parameter(name, description, json!({"type": "boolean", "default": false}))
}

/// The length of a page.
pub(in crate::http) fn limit_parameter(most: u64) -> Value {
    let schema = json!({"type": "integer", "minimum": 1, "maximum": most, "default": 100});
    query_parameter("limit", "Entries of the page, at most", schema)
}

/// The number of rejects that a load may have.
pub(in crate::http) fn max_rejects_parameter() -> Value {
    let schema = json!({"type": "string", "pattern": "^[0-9]{1,2}%?$"});
    query_parameter("max_rejects", "Stop if there are more rejects than this number or share, such as 5%", schema)
}

/// The header under which a request has one effect.
pub(super) fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header",
        "description": "Requests with the same key have one effect and one answer, however often they are sent",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]([ !#-~]*[!#-~])?$"},
    })
}

/// The description of a list that comes in pages.
pub(in crate::http) const PAGE_NOTE: &str =
    "A page ends at 8 MiB, even if it has fewer entries than `limit`; `next` tells where the next page begins.";

/// The description of a dry run.
pub(in crate::http) const DRY_RUN_NOTE: &str =
    "Do everything in one transaction, and roll it back: the task reports what would happen to the records";

/// The description of a conflict rule.
pub(in crate::http) const CONFLICT_NOTE: &str = "What to do with a row whose key exists with other content";

/// The answers of a request that becomes a task.
pub(in crate::http) fn task_answers() -> Vec<(u16, &'static str, Value)> {
    vec![(202, "application/json", schema_reference("Task")), (200, "application/json", schema_reference("Task"))]
}

/// How long the answer of a task may take.
pub(in crate::http) fn wait_parameter() -> Value {
    let schema = json!({"type": "integer", "minimum": 0, "maximum": 300, "default": 0});
    query_parameter("wait", "Wait this many seconds for the task to end", schema)
}

/// A reference to one of the document's schemas.
pub(in crate::http) fn schema_reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}
