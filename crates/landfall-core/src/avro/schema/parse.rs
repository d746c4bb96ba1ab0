//! From the JSON of a schema to its types.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::{
    AvroField, AvroSchema, AvroType, DEPTH, MOST_TEXT, MOST_TYPES, RecordFields, SchemaError, TimeUnit, TypeId,
};

/// The most digits behind the point of a decimal; those of one with more are left as bytes.
const MOST_SCALE: u64 = 10_000;

type ParseResult<T> = std::result::Result<T, SchemaError>;

pub(super) fn parse(text: &str) -> ParseResult<AvroSchema> {
    if text.len() > MOST_TEXT {
        return fail_parse(format!("the Avro schema has {} bytes; at most {MOST_TEXT} are read", text.len()));
    }
    let json: Value =
        serde_json::from_str(text).map_err(|error| SchemaError(format!("the Avro schema is not JSON: {error}")))?;
    let mut parser = SchemaParser::default();
    let root = parser.parse_type(&json, "", 0)?;
    let types = parser.types;
    Ok(AvroSchema { types, root })
}

fn fail_parse<T>(reason: impl Into<String>) -> ParseResult<T> {
    Err(SchemaError(reason.into()))
}

#[derive(Default)]
struct SchemaParser {
    types: Vec<AvroType>,
    fields: usize,
    /// The types that have names, by these with their namespaces.
    names: HashMap<String, TypeId>,
}

impl SchemaParser {
    /// The type that `json` describes, within the namespace `space`.
    fn parse_type(&mut self, json: &Value, space: &str, depth: usize) -> ParseResult<TypeId> {
        if depth > DEPTH {
            return fail_parse(format!("the Avro schema is nested deeper than {DEPTH} levels"));
        }
        match json {
            Value::String(name) => self.resolve_named(name, space),
            Value::Array(branches) => self.parse_union(branches, space, depth),
            Value::Object(object) => self.parse_object(object, space, depth),
            other => fail_parse(format!("the Avro schema has {other} where a type is expected")),
        }
    }

    fn add_type(&mut self, kind: AvroType) -> ParseResult<TypeId> {
        let id = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
        self.types.push(kind);
        self.check_type_count()?;
        Ok(TypeId(id))
    }

    fn check_type_count(&self) -> ParseResult<()> {
        if self.types.len() + self.fields > MOST_TYPES {
            return fail_parse(format!("the Avro schema has more than {MOST_TYPES} types and fields"));
        }
        Ok(())
    }

    /// A primitive type, or one that was defined before.
    fn resolve_named(&mut self, name: &str, space: &str) -> ParseResult<TypeId> {
        if let Some(kind) = primitive_type(name) {
            return self.add_type(kind);
        }
        let full = qualify_name(name, space);
        match self.names.get(&full) {
            Some(id) => Ok(*id),
            None => fail_parse(format!("the Avro schema names the type {full:?}, which is not defined before that")),
        }
    }

    fn parse_union(&mut self, branches: &[Value], space: &str, depth: usize) -> ParseResult<TypeId> {
        let mut ids = Vec::with_capacity(branches.len().min(MOST_TYPES));
        for branch in branches {
            let id = self.parse_type(branch, space, depth + 1)?;
            if matches!(self.types[id.0 as usize], AvroType::Union(_)) {
                return fail_parse("the Avro schema has a union within a union");
            }
            ids.push(id);
        }
        if ids.is_empty() {
            return fail_parse("the Avro schema has a union of no types");
        }
        // Branches count as well: a union may name one type a million times.
        self.fields += ids.len();
        self.add_type(AvroType::Union(ids))
    }

    fn parse_object(&mut self, object: &Map<String, Value>, space: &str, depth: usize) -> ParseResult<TypeId> {
        let kind = match object.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(nested) => return self.parse_type(nested, space, depth + 1),
            None => return fail_parse("the Avro schema has a type without \"type\""),
        };
        match kind {
            "record" | "error" => self.parse_record(object, space, depth),
            "enum" => self.parse_enum(object, space),
            "fixed" => self.parse_fixed(object, space),
            "array" | "map" => {
                let part = if kind == "array" { "items" } else { "values" };
                let Some(part) = object.get(part) else {
                    return fail_parse(format!("the Avro schema has a type \"{kind}\" without \"{part}\""));
                };
                let part = self.parse_type(part, space, depth + 1)?;
                self.add_type(if kind == "array" { AvroType::Array(part) } else { AvroType::Map(part) })
            }
            name => match primitive_type(name) {
                Some(kind) => self.add_type(logical_type(kind, object)),
                None => self.resolve_named(name, space),
            },
        }
    }

    /// The name that `object` defines, and the namespace of what it holds.
    fn define_name(&mut self, object: &Map<String, Value>, space: &str) -> ParseResult<(String, String)> {
        let Some(name) = text_member(object, "name").filter(|name| !name.is_empty()) else {
            return fail_parse("the Avro schema has a record, enum or fixed without a name");
        };
        let full = qualify_name(name, text_member(object, "namespace").unwrap_or(space));
        // The rows of a table called `string` once had that name in backups; nothing refers to them, so that it does no harm.
        let rows = self.types.is_empty() && text_member(object, "type") == Some("record");
        if primitive_type(&full).is_some() && !rows {
            return fail_parse(format!("the Avro schema gives a type the name {full:?}, which is that of another"));
        }
        if self.names.contains_key(&full) {
            return fail_parse(format!("the Avro schema defines the type {full:?} twice"));
        }
        let space = full.rsplit_once('.').map_or_else(String::new, |(space, _)| space.to_owned());
        Ok((full, space))
    }

    fn parse_record(&mut self, object: &Map<String, Value>, space: &str, depth: usize) -> ParseResult<TypeId> {
        let (name, space) = self.define_name(object, space)?;
        let Some(Value::Array(described)) = object.get("fields") else {
            return fail_parse(format!("the Avro schema has the record {name:?} without \"fields\""));
        };
        // A place before its fields are read, since a record may contain itself.
        let id = self.add_type(AvroType::Null)?;
        self.names.insert(name.clone(), id);
        let mut fields = Vec::with_capacity(described.len().min(MOST_TYPES));
        let mut seen = HashSet::new();
        for described in described {
            let field = self.parse_field(described, &name, &space, depth)?;
            if !seen.insert(field.name.clone()) {
                return fail_parse(format!("the Avro schema has the field {:?} of {name:?} twice", field.name));
            }
            fields.push(field);
        }
        self.types[id.0 as usize] = AvroType::Record(RecordFields { name, fields });
        Ok(id)
    }

    fn parse_field(&mut self, json: &Value, record: &str, space: &str, depth: usize) -> ParseResult<AvroField> {
        self.fields += 1;
        self.check_type_count()?;
        let named = json.as_object().and_then(|field| Some((field, text_member(field, "name")?, field.get("type")?)));
        let Some((object, name, kind)) = named else {
            return fail_parse(format!("the Avro schema has a field of {record:?} without a name or type"));
        };
        let aliases = object.get("aliases").and_then(Value::as_array).into_iter().flatten();
        Ok(AvroField {
            name: name.to_owned(),
            aliases: aliases.filter_map(Value::as_str).map(str::to_owned).collect(),
            kind: self.parse_type(kind, space, depth + 1)?,
            own_name: text_member(object, "landfall.field").map(str::to_owned),
            own_type: text_member(object, "landfall.type").map(str::to_owned),
        })
    }

    fn parse_enum(&mut self, object: &Map<String, Value>, space: &str) -> ParseResult<TypeId> {
        let (name, _) = self.define_name(object, space)?;
        let symbols = object.get("symbols").and_then(Value::as_array);
        let symbols = symbols.and_then(|symbols| symbols.iter().map(|symbol| symbol.as_str().map(Box::from)).collect());
        let Some(symbols) = symbols else {
            return fail_parse(format!("the Avro schema has the enum {name:?} without \"symbols\""));
        };
        let id = self.add_type(AvroType::Enum(symbols))?;
        self.names.insert(name, id);
        Ok(id)
    }

    fn parse_fixed(&mut self, object: &Map<String, Value>, space: &str) -> ParseResult<TypeId> {
        let (name, _) = self.define_name(object, space)?;
        let size = object.get("size").and_then(Value::as_u64).and_then(|size| i32::try_from(size).ok());
        let Some(size) = size.and_then(|size| usize::try_from(size).ok()) else {
            return fail_parse(format!("the Avro schema has the fixed {name:?} without a size from 0 to {}", i32::MAX));
        };
        let id = self.add_type(logical_type(AvroType::Fixed(size), object))?;
        self.names.insert(name, id);
        Ok(id)
    }
}

fn text_member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

/// `name` with its namespace: `space`, where it has none of its own.
fn qualify_name(name: &str, space: &str) -> String {
    if name.contains('.') || space.is_empty() {
        name.trim_start_matches('.').to_owned()
    } else {
        format!("{space}.{name}")
    }
}

fn primitive_type(name: &str) -> Option<AvroType> {
    Some(match name {
        "null" => AvroType::Null,
        "boolean" => AvroType::Boolean,
        "int" => AvroType::Int,
        "long" => AvroType::Long,
        "float" => AvroType::Float,
        "double" => AvroType::Double,
        "bytes" => AvroType::Bytes,
        "string" => AvroType::String,
        _ => return None,
    })
}

/// The logical type that `object` gives to `kind`, where it is one and well-formed.
fn logical_type(kind: AvroType, object: &Map<String, Value>) -> AvroType {
    let stamp = |unit, local| AvroType::Timestamp { unit, local };
    match (text_member(object, "logicalType").unwrap_or_default(), &kind) {
        ("decimal", AvroType::Bytes) => decimal_type(None, object).unwrap_or(kind),
        ("decimal", AvroType::Fixed(size)) => decimal_type(Some(*size), object).unwrap_or(kind),
        ("uuid", AvroType::Fixed(16)) => AvroType::Uuid,
        ("date", AvroType::Int) => AvroType::Date,
        ("time-millis", AvroType::Int) => AvroType::Time(TimeUnit::Millis),
        ("time-micros", AvroType::Long) => AvroType::Time(TimeUnit::Micros),
        ("timestamp-millis", AvroType::Long) => stamp(TimeUnit::Millis, false),
        ("timestamp-micros", AvroType::Long) => stamp(TimeUnit::Micros, false),
        ("timestamp-nanos", AvroType::Long) => stamp(TimeUnit::Nanos, false),
        ("local-timestamp-millis", AvroType::Long) => stamp(TimeUnit::Millis, true),
        ("local-timestamp-micros", AvroType::Long) => stamp(TimeUnit::Micros, true),
        ("local-timestamp-nanos", AvroType::Long) => stamp(TimeUnit::Nanos, true),
        ("duration", AvroType::Fixed(12)) => AvroType::Duration,
        // The specification wants a logical type that is unknown or malformed to be passed over.
        _ => kind,
    }
}

fn decimal_type(size: Option<usize>, object: &Map<String, Value>) -> Option<AvroType> {
    let precision = object.get("precision")?.as_u64()?;
    let scale = object.get("scale").map_or(Some(0), Value::as_u64)?;
    // The specification's own formula: the digits that a signed number of so many bytes can hold.
    let holds = |size: usize| (std::f64::consts::LOG10_2 * (8.0 * size as f64 - 1.0)).floor();
    let sound = precision > 0
        && scale <= precision
        && scale <= MOST_SCALE
        && size.is_none_or(|size| size > 0 && precision as f64 <= holds(size));
    let scale = usize::try_from(scale).ok()?;
    sound.then_some(AvroType::Decimal { size, scale })
}
