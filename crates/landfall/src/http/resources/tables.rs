//! `/v1/tables`: what tables there are, how many rows they hold, and their rows, page by page.

use std::io::Write as _;

use axum::http::{HeaderValue, StatusCode, header};
use landfall_core::{
    keys::Scalar,
    schema::{
        Constraints, Field, FieldIndex, Resource, TableIndex,
        to_standard::{encoding_label, write_dialect, write_schema},
    },
    validate::ValueReader,
};
use landfall_engine::{
    Error,
    targets::{ComparisonOperator, RowCondition, RowFilter, Table, Target, is_comparable},
};
use serde_json::{Value, json};

use crate::http::{
    call::Call,
    openapi::operation::{
        Operation, PAGE_NOTE, flag_parameter, limit_parameter, query_parameter, schema_reference, text_parameter,
    },
    problem::{Outcome, Problem, ProblemKind},
    query::QueryParameters,
    route::{EITHER, READ, Route, routes},
    server::spool::{AnswerSpool, PAGE_BYTES, SpooledAnswer, write_error},
    values::{push_text, push_value, respond_json, value_text},
};

/// The routes of tables and their rows.
pub(in crate::http) const ROUTES: &[Route] = routes! {
    GET get "/v1/tables" EITHER, list_tables, Some(list_tables_operation);
    GET get "/v1/tables/{table}" EITHER, show_table, Some(show_table_operation);
    GET get "/v1/tables/{table}/rows" READ, list_rows, Some(list_rows_operation);
};

/// Rows of a page, where nothing else is asked for, and at most.
const USUAL: u64 = 100;
const MOST: u64 = 10_000;

/// The tables that the caller may touch.
pub(in crate::http) async fn list_tables(call: Call) -> Outcome {
    let mut query = call.query_parameters()?;
    let counts = query.take_flag("counts")?;
    query.refuse_remaining(&["counts"])?;
    let package = &call.service.rules.rules_project().package;
    let positions: Vec<TableIndex> =
        package.table_positions().filter(|&at| call.caller.sees_table(&package[at].name)).collect();
    let rows = if counts { count_rows(&call, positions.clone()).await? } else { Vec::new() };
    let table = |(place, &at): (usize, &TableIndex)| {
        let mut table = table_summary(&package[at]);
        if let Some(count) = rows.get(place) {
            table["rows"] = json!(count);
        }
        table
    };
    let tables: Vec<Value> = positions.iter().enumerate().map(table).collect();
    Ok(respond_json(StatusCode::OK, &json!({ "tables": tables })))
}

/// One table: how its files are written, its schema, and how many rows it holds.
pub(in crate::http) async fn show_table(call: Call) -> Outcome {
    let position = call.named_table()?;
    let mut query = call.query_parameters()?;
    let counts = query.take_flag_or("counts", true)?;
    query.refuse_remaining(&["counts"])?;
    let rows = if counts { count_rows(&call, vec![position]).await? } else { Vec::new() };
    let resource = &call.service.rules.rules_project().package[position];
    let mut table = table_summary(resource);
    if let Some(count) = rows.first() {
        table["rows"] = json!(count);
    }
    table["dialect"] = write_dialect(&resource.dialect);
    table["encoding"] = json!(encoding_label(resource.encoding));
    table["schema"] = write_schema(&resource.schema);
    Ok(respond_json(StatusCode::OK, &table))
}

fn table_summary(resource: &Resource) -> Value {
    json!({"name": &*resource.name})
}

async fn count_rows(call: &Call, positions: Vec<TableIndex>) -> Outcome<Vec<u64>> {
    let tables: Vec<Table> = positions.iter().map(|&at| call.service.rules.table_at(at).clone()).collect();
    let counted = call.read(move |target| {
        // A target counts no rows of a table that is missing. As an answer, that would be wrong.
        tables.iter().map(|table| read_existing(target, table, target.row_count(table)?, |count| *count == 0)).collect()
    });
    let counted: Vec<Option<u64>> = counted.await?;
    counted.into_iter().map(|count| count.ok_or_else(gone_problem)).collect()
}

/// What was read of `table`; none where it is nothing because the table is gone. The service has made all tables when it started.
fn read_existing<T>(
    target: &dyn Target,
    table: &Table,
    read: T,
    is_nothing: impl FnOnce(&T) -> bool,
) -> Result<Option<T>, Error> {
    if !is_nothing(&read) || target.has_table(table)? {
        return Ok(Some(read));
    }
    tracing::error!(table = &*table.name, "the table is not in the database any more");
    Ok(None)
}

fn gone_problem() -> Problem {
    Problem::new(
        ProblemKind::DATABASE,
        "the table is not in the database any more; it must be brought back, or the service be started again",
    )
}

/// The rows of a table, in the order of its primary key.
pub(in crate::http) async fn list_rows(call: Call) -> Outcome {
    let position = call.named_table()?;
    let table = call.service.rules.table_at(position).clone();
    let mut query = call.query_parameters()?;
    let limit = query.take_limit(USUAL, MOST)?;
    let fields = requested_fields(&table, query.take_value("fields")?)?;
    let after = query.take_value("after")?.map(|text| parse_key(&table, &text)).transpose()?;
    let conditions = read_conditions(&table, query)?;
    // One more than is shown, which tells whether there is a next page.
    let filter = RowFilter { conditions, after, limit: limit + 1 };
    let (asked, out) = (table.clone(), call.begin_answer());
    let written = call.read(move |target| {
        let mut page = RowsPage {
            table: &asked,
            fields: &fields,
            limit,
            out,
            text: String::new(),
            rows: 0,
            last: None,
            end: PageEnd::All,
        };
        target.read_page(&asked, &filter, &mut |row| page.take_row(row))?;
        let (rows, end) = (page.rows, page.end);
        Ok((read_existing(target, &asked, page.finish_page()?, |_| rows == 0)?, end))
    });
    let (written, end) = written.await?;
    // A page that just ends here would look like all there is.
    if matches!(end, PageEnd::Bytes) && table.schema.primary_key.is_empty() {
        let detail =
            "these rows are more than 8 MiB, and without a primary key there is no next page; ask for fewer with limit";
        return Err(Problem::wrong_parameter(detail));
    }
    let mut response = written.ok_or_else(gone_problem)?.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Why a page ends.
#[derive(Debug, Clone, Copy)]
enum PageEnd {
    /// There are no more rows.
    All,
    /// There are more rows than were asked for.
    Rows,
    /// It has as many bytes as a page may have.
    Bytes,
}

/// A page that is being written.
struct RowsPage<'p> {
    table: &'p Table,
    fields: &'p [FieldIndex],
    limit: u64,
    out: AnswerSpool,
    text: String,
    rows: u64,
    /// The key of the last row, where there is one.
    last: Option<String>,
    end: PageEnd,
}

impl RowsPage<'_> {
    /// Takes the next row; whether there is room for more.
    fn take_row(&mut self, row: Vec<Scalar>) -> Result<bool, Error> {
        if self.rows == self.limit || self.out.length() >= PAGE_BYTES {
            self.end = if self.rows == self.limit { PageEnd::Rows } else { PageEnd::Bytes };
            return Ok(false);
        }
        self.text.push_str(if self.rows > 0 { "," } else { "{\"rows\":[" });
        push_row(&mut self.text, self.table, self.fields, &row);
        self.rows += 1;
        if !self.table.schema.primary_key.is_empty() {
            self.last = Some(key_text(self.table, &row));
        }
        self.write()?;
        Ok(true)
    }

    fn finish_page(mut self) -> Result<SpooledAnswer, Error> {
        self.text.push_str(if self.rows > 0 { "],\"next\":" } else { "{\"rows\":[],\"next\":" });
        match self.last.take().filter(|_| !matches!(self.end, PageEnd::All)) {
            Some(next) => push_text(&mut self.text, &next),
            None => self.text.push_str("null"),
        }
        self.text.push('}');
        self.write()?;
        self.out.finish_answer()
    }

    fn write(&mut self) -> Result<(), Error> {
        self.out.write_all(self.text.as_bytes()).map_err(write_error)?;
        // The room of one wide row is not kept for all the others.
        self.text = String::new();
        Ok(())
    }
}

fn push_row(out: &mut String, table: &Table, fields: &[FieldIndex], row: &[Scalar]) {
    out.push('{');
    for (place, &at) in fields.iter().enumerate() {
        let field = &table.schema[at];
        if place > 0 {
            out.push(',');
        }
        push_text(out, &field.name);
        out.push(':');
        push_value(out, &field.kind, &row[at.get()]);
    }
    out.push('}');
}

/// The positions of the fields that are asked for; all where none are named.
fn requested_fields(table: &Table, named: Option<String>) -> Outcome<Vec<FieldIndex>> {
    let Some(named) = named else { return Ok(table.schema.field_positions().collect()) };
    let mut positions = Vec::new();
    for name in named.split(',') {
        let at = field_position(table, name)?;
        if positions.contains(&at) {
            return Err(Problem::wrong_parameter(format!("fields names {name} twice; an object has each member once")));
        }
        positions.push(at);
    }
    Ok(positions)
}

fn field_position(table: &Table, name: &str) -> Outcome<FieldIndex> {
    table.schema.field_position(name).ok_or_else(|| {
        let names: Vec<&str> = table.schema.fields.iter().map(|field| &*field.name).take(50).collect();
        let name: String = name.chars().take(80).collect();
        Problem::wrong_parameter(format!(
            "there is no parameter or field {name:?} here; the fields are {}",
            names.join(", ")
        ))
    })
}

/// The conditions: `field=value`, or `field[gte]=value` with another comparison.
fn read_conditions(table: &Table, query: QueryParameters) -> Outcome<Vec<RowCondition>> {
    let condition = |(name, text): (String, String)| {
        let (field, how) = match name.strip_suffix(']').and_then(|name| name.rsplit_once('[')) {
            // A field may itself be called `x[gte]`.
            Some((field, how)) if table.schema.field_position(&name).is_none() => (field, how),
            _ => (&*name, "eq"),
        };
        let position = field_position(table, field)?;
        let comparison = match how {
            "eq" => ComparisonOperator::Equal,
            "ne" => ComparisonOperator::NotEqual,
            "lt" => ComparisonOperator::Less,
            "lte" => ComparisonOperator::AtMost,
            "gt" => ComparisonOperator::Greater,
            "gte" => ComparisonOperator::AtLeast,
            "missing" => return missing_condition(position, &text),
            _ => {
                let detail = "a field is compared with eq, ne, lt, lte, gt, gte or missing, as in id[gte]=5";
                return Err(Problem::wrong_parameter(detail));
            }
        };
        if !is_comparable(&table.schema[position].kind) {
            let kind = table.schema[position].kind.name();
            return Err(Problem::wrong_parameter(format!(
                "{field}: fields of the type {kind} cannot be compared here"
            )));
        }
        Ok(RowCondition { position, comparison, value: read_value(table, position, &text)? })
    };
    query.into_remaining().into_iter().map(condition).collect()
}

/// `field[missing]=true`.
fn missing_condition(position: FieldIndex, text: &str) -> Outcome<RowCondition> {
    let comparison = match text {
        "true" => ComparisonOperator::Equal,
        "false" => ComparisonOperator::NotEqual,
        _ => return Err(Problem::wrong_parameter("missing is true or false")),
    };
    Ok(RowCondition { position, comparison, value: Scalar::Null })
}

/// A value of a field, read by its type. Its constraints are for what is stored, not for what is asked.
fn read_value(table: &Table, position: FieldIndex, text: &str) -> Outcome<Scalar> {
    let field = &table.schema[position];
    // Without missing values as well: `name=` asks for the empty text. `name[missing]` asks for the others.
    let bare = Field { constraints: Constraints::default(), missing_values: Vec::new(), ..field.clone() };
    let reader = ValueReader::new(&bare).map_err(|error| Problem::wrong_parameter(error.to_string()))?;
    reader.read(text).map_err(|errors| {
        let messages: Vec<String> = errors.into_iter().map(|error| error.message).collect();
        Problem::wrong_parameter(messages.join("; "))
    })
}

/// The key that a page begins behind: the text of its value, or, where it has several fields, a JSON array of their texts.
fn parse_key(table: &Table, text: &str) -> Outcome<Vec<Scalar>> {
    let key = &table.schema.primary_key;
    let texts: Vec<String> = match key.len() {
        0 => {
            return Err(Problem::wrong_parameter(
                "this table has no primary key, so that its rows have no order to page by",
            ));
        }
        1 => vec![text.to_owned()],
        count => {
            serde_json::from_str(text).ok().filter(|texts: &Vec<String>| texts.len() == count).ok_or_else(|| {
                Problem::wrong_parameter(format!(
                    "after must be a JSON array of the {count} texts of a key, as next gives it"
                ))
            })?
        }
    };
    key.iter().zip(&texts).map(|(&at, text)| read_value(table, at, text)).collect()
}

fn key_text(table: &Table, row: &[Scalar]) -> String {
    let texts: Vec<String> = table.schema.primary_key.iter().map(|&at| value_text(&row[at.get()])).collect();
    match &texts[..] {
        [text] => text.clone(),
        texts => json!(texts).to_string(),
    }
}

fn list_tables_operation() -> Operation {
    Operation::new("tables", "The tables", schema_reference("Tables"))
        .with_query([flag_parameter("counts", "Count the rows of each table")])
}

fn show_table_operation() -> Operation {
    let counts = query_parameter("counts", "Count its rows", json!({"type": "boolean", "default": true}));
    let summary = "A table: how its files are written, its schema and its number of rows";
    Operation::new("tables", summary, schema_reference("Table")).with_query([counts])
}

fn list_rows_operation() -> Operation {
    Operation::new("tables", "Rows, in the order of the primary key", schema_reference("Page"))
        .with_query([
            limit_parameter(MOST),
            text_parameter("after", "The page after this one: `next` of the page before"),
            text_parameter("fields", "Only these fields, separated by commas"),
        ])
        .with_description(PAGE_NOTE)
}
