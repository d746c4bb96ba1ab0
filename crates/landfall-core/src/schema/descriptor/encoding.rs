//! Labels of encodings.

use crate::schema::document::{DescriptorProblems, DocumentPlace};
use crate::schema::{CodePage, Encoding};

/// Encodings that can be named, for messages. All that the web and the JDK both know are among them, save those with states.
const SUPPORTED: &str = "utf-8, utf-16, utf-16le, utf-16be, iso-8859-1 and other one-byte encodings such as \
    windows-1252, iso-8859-15 or koi8-r, cp850 and other code pages of DOS, shift_jis, euc-jp, euc-kr, big5, gbk, gb18030";

/// The encoding that `label` names.
pub(super) fn read(label: &str, place: &DocumentPlace, problems: &DescriptorProblems) -> Option<Encoding> {
    let encoding = find_encoding(label);
    if encoding.is_none() {
        problems.report_with_mend(place, refusal_of_label(label), format!("write one of: {SUPPORTED}"));
    }
    encoding
}

/// Why `label` names no encoding that sources may have, and how such a file is brought in.
pub(in crate::schema) fn refusal_of_label(label: &str) -> String {
    // Nothing else goes into a command that people copy.
    let name: String = label.chars().filter(|char| char.is_ascii_alphanumeric() || "-_:.".contains(*char)).collect();
    let name = if name.is_empty() { "NAME".into() } else { name };
    format!(
        "Landfall does not read the encoding {label:?}; convert the file, for example with: \
         iconv -f {name} -t UTF-8 old.csv > new.csv"
    )
}

/// The encoding that `label` names, where it is one that sources may have.
pub(in crate::schema) fn find_encoding(label: &str) -> Option<Encoding> {
    unicode_or_latin(label)
        .or_else(|| find_web_encoding(label))
        .or_else(|| CodePage::from_label(label).map(Encoding::CodePage))
}

/// ISO 8859-1 is read here, as web browsers take it for windows-1252.
fn unicode_or_latin(label: &str) -> Option<Encoding> {
    match label.to_ascii_lowercase().replace('_', "-").as_str() {
        // ASCII is a part of UTF-8. What a file has beyond it is then read, and not refused.
        "utf-8" | "utf8" | "utf-8-sig" | "ascii" | "us-ascii" => Some(Encoding::Utf8),
        "utf-16" | "utf16" => Some(Encoding::Utf16),
        "utf-16le" | "utf-16-le" | "utf16le" => Some(Encoding::Utf16Le),
        "utf-16be" | "utf-16-be" | "utf16be" => Some(Encoding::Utf16Be),
        "iso-8859-1" | "iso8859-1" | "latin1" | "latin-1" | "l1" => Some(Encoding::Latin1),
        _ => None,
    }
}

/// An encoding of the web's registry. Python and Java write names of their own for some of them.
fn find_web_encoding(label: &str) -> Option<Encoding> {
    // The registry of the web has hyphens; Python and Java also write underscores.
    let dashed = label.replace('_', "-");
    let known = encoding_rs::Encoding::for_label(label.as_bytes())
        .or_else(|| encoding_rs::Encoding::for_label(dashed.as_bytes()))
        .or_else(|| find_other_name(&dashed.to_ascii_lowercase()))?;
    if known.is_single_byte() {
        // `x-user-defined` maps bytes to private characters, which mean nothing in a database.
        return (known != encoding_rs::X_USER_DEFINED).then_some(Encoding::SingleByte(known));
    }
    use encoding_rs::{BIG5, EUC_JP, EUC_KR, GB18030, GBK, SHIFT_JIS};
    // A record of ISO-2022-JP cannot be read alone: what stands before it decides what its bytes mean.
    [SHIFT_JIS, EUC_JP, EUC_KR, BIG5, GBK, GB18030].contains(&known).then_some(Encoding::MultiByte(known))
}

/// What `name` is called in the registry of the web.
fn find_other_name(name: &str) -> Option<&'static encoding_rs::Encoding> {
    Some(match name {
        "mac-roman" | "x-macroman" => encoding_rs::MACINTOSH,
        "cp932" | "ms932" | "windows-932" => encoding_rs::SHIFT_JIS,
        "cp949" | "ms949" | "uhc" | "x-windows-949" | "windows-949-2000" => encoding_rs::EUC_KR,
        "cp950" | "ms950" | "x-windows-950" => encoding_rs::BIG5,
        "cp936" | "ms936" | "euc-cn" => encoding_rs::GBK,
        "cp54936" | "gb18030-2000" | "gb18030-2022" => encoding_rs::GB18030,
        "eucjp" | "cp51932" => encoding_rs::EUC_JP,
        "euckr" => encoding_rs::EUC_KR,
        _ => return None,
    })
}
