//! An encoder, written from the specification alone.

/// A value to be encoded.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Datum {
    Null,
    Boolean(bool),
    Long(i64),
    Float(f32),
    Double(f64),
    Bytes(Vec<u8>),
    Text(String),
    Fixed(Vec<u8>),
    Record(Vec<(String, Datum)>),
    /// In blocks of so many items, with their length in bytes or without.
    Array(Vec<Datum>, usize, bool),
    Map(Vec<(String, Datum)>, usize, bool),
    Branch(i64, Box<Datum>),
}

pub(super) fn long(value: i64) -> Vec<u8> {
    let mut rest = ((value as u64) << 1) ^ ((value >> 63) as u64);
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push((rest as u8) | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

pub(super) fn sized(bytes: &[u8]) -> Vec<u8> {
    [long(bytes.len() as i64), bytes.to_vec()].concat()
}

impl Datum {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Null => Vec::new(),
            Self::Boolean(value) => vec![u8::from(*value)],
            Self::Long(value) => long(*value),
            Self::Float(value) => value.to_le_bytes().to_vec(),
            Self::Double(value) => value.to_le_bytes().to_vec(),
            Self::Bytes(bytes) => sized(bytes),
            Self::Text(text) => sized(text.as_bytes()),
            Self::Fixed(bytes) => bytes.clone(),
            Self::Record(fields) => fields.iter().flat_map(|(_, value)| value.bytes()).collect(),
            Self::Array(items, size, told) => blocks(items.iter().map(Self::bytes).collect(), *size, *told),
            Self::Map(items, size, told) => {
                let item = |(name, value): &(String, Self)| [sized(name.as_bytes()), value.bytes()].concat();
                blocks(items.iter().map(item).collect(), *size, *told)
            }
            Self::Branch(at, value) => [long(*at), value.bytes()].concat(),
        }
    }

    /// What is to be read of it.
    pub(super) fn json(&self) -> serde_json::Value {
        let object = |fields: &[(String, Self)]| {
            serde_json::Value::Object(fields.iter().map(|(name, value)| (name.clone(), value.json())).collect())
        };
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Boolean(value) => (*value).into(),
            Self::Long(value) => (*value).into(),
            Self::Float(value) => digits(value, (*value).into()),
            Self::Double(value) => digits(value, *value),
            Self::Bytes(bytes) | Self::Fixed(bytes) => String::from_utf8(bytes.clone()).unwrap().into(),
            Self::Text(text) => text.clone().into(),
            Self::Record(fields) | Self::Map(fields, ..) => object(fields),
            Self::Array(items, ..) => items.iter().map(Self::json).collect(),
            Self::Branch(_, value) => value.json(),
        }
    }
}

fn digits(value: &(impl std::fmt::Display + std::fmt::LowerExp), size: f64) -> serde_json::Value {
    let plain = (1e-5..1e17).contains(&size.abs());
    serde_json::from_str(&if plain { value.to_string() } else { format!("{value:e}") }).unwrap()
}

fn blocks(items: Vec<Vec<u8>>, size: usize, told: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in items.chunks(size.max(1)) {
        let (count, items) = (block.len() as i64, block.concat());
        if told {
            bytes.extend([long(-count), long(items.len() as i64)].concat());
        } else {
            bytes.extend(long(count));
        }
        bytes.extend(items);
    }
    bytes.push(0);
    bytes
}
