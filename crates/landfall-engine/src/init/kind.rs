//! What a file is that is no delimited text, told by its first bytes.

/// What is wrong with a file, as words behind "is left out: ".
const SPREADSHEET: &str = "it is an Excel workbook: save each sheet as CSV";

/// Formats that are known by the bytes at their very beginning.
const MAGIC: [(&[u8], &str); 16] = [
    (b"%PDF-", "it is a PDF document: export its tables as CSV"),
    (b"\xD0\xCF\x11\xE0", "it is an old Office document (as .xls): save each sheet as CSV"),
    (b"PAR1", "it is a Parquet file: convert it to CSV"),
    (b"Obj\x01", "it is an Avro file, which `landfall restore` reads, and no CSV"),
    (b"SQLite format 3\0", "it is a SQLite database: export its tables as CSV"),
    (b"ORC", "it is an ORC file: convert it to CSV"),
    (b"ARROW1", "it is an Arrow file: convert it to CSV"),
    (b"BZh", "it is compressed by bzip2: unpack it, or compress it by gzip or zstd"),
    (b"\xFD7zXZ", "it is compressed by xz: unpack it, or compress it by gzip or zstd"),
    (b"7z\xBC\xAF", "it is a 7z archive: unpack it"),
    (b"Rar!", "it is a RAR archive: unpack it"),
    (b"\x89PNG", "it is an image"),
    (b"\xFF\xD8\xFF", "it is an image"),
    (b"GIF8", "it is an image"),
    (b"{\\rtf", "it is an RTF document: save its tables as CSV"),
    (b"\x7FELF", "it is a program"),
];

/// How far the beginnings of markup and scripts are looked at.
const LOOK: usize = 4096;
/// One control character in so many makes a file binary.
const ONE_CONTROL_IN: usize = 50;

/// What the file that begins with `prefix` is, where it is no delimited text.
pub(super) fn name_other_format(prefix: &[u8]) -> Option<&'static str> {
    if let Some((_, words)) = MAGIC.iter().find(|(magic, _)| prefix.starts_with(magic)) {
        return Some(words);
    }
    if prefix.starts_with(b"PK\x03\x04") {
        return Some(name_archive(prefix));
    }
    let text = ascii_beginning(prefix);
    name_markup(&text)
        .or_else(|| name_script(&text))
        .or_else(|| is_binary(prefix).then_some("it is binary, and no text"))
}

/// Office documents are ZIP archives, too. The names of their parts stand in them as they are.
fn name_archive(prefix: &[u8]) -> &'static str {
    let holds = |part: &[u8]| prefix.windows(part.len()).any(|window| window == part);
    if holds(b"opendocument.spreadsheet") {
        "it is an OpenDocument spreadsheet: save each sheet as CSV"
    } else if holds(b"word/") || holds(b"ppt/") {
        "it is an Office document: save its tables as CSV"
    } else if holds(b"xl/") || holds(b"[Content_Types].xml") {
        SPREADSHEET
    } else {
        "it is a ZIP archive: unpack it"
    }
}

/// The beginning in lower case, without marks and NULs, so that UTF-16 reads like ASCII.
fn ascii_beginning(prefix: &[u8]) -> String {
    let ascii = prefix.iter().take(LOOK).filter(|byte| byte.is_ascii() && **byte != 0);
    let text: String = ascii.map(|&byte| char::from(byte).to_ascii_lowercase()).collect();
    text.trim_start().to_owned()
}

fn name_markup(text: &str) -> Option<&'static str> {
    let is_html =
        |text: &str| ["<!doctype html", "<html", "<head", "<body", "<table"].iter().any(|tag| text.starts_with(tag));
    if is_html(text) || (text.starts_with("<?xml") && text.contains("<html")) {
        return Some("it is an HTML page, perhaps an error page or a login: download the file itself");
    }
    if text.starts_with("<?xml") {
        let excel = text.contains("office:spreadsheet") || text.contains("excel");
        return Some(if excel { SPREADSHEET } else { "it is XML: convert it to CSV" });
    }
    let mut inner = text.chars().filter(|character| !character.is_whitespace());
    match (inner.next(), inner.next()) {
        (Some('{'), Some('"')) | (Some('['), Some('{' | '[')) => Some("it is JSON: convert it to CSV"),
        _ => None,
    }
}

fn name_script(text: &str) -> Option<&'static str> {
    let starts =
        ["-- mysql dump", "-- postgresql database dump", "create table ", "insert into ", "pragma foreign_keys"];
    let dump = text.trim_start_matches(['-', '\n', '\r', ' ']).starts_with("postgresql database dump");
    (dump || starts.iter().any(|start| text.starts_with(start)))
        .then_some("it is a SQL script: run it, and export its tables as CSV")
}

/// Whether there are too many control characters for a text. NULs that stand for the other halves of UTF-16 do not count.
fn is_binary(prefix: &[u8]) -> bool {
    let odd = |byte: &&u8| matches!(byte, 1..=8 | 14..=26 | 28);
    prefix.len() >= 64 && prefix.iter().filter(odd).count() * ONE_CONTROL_IN > prefix.len()
}

/// The words for a file in a folder whose name says that it is a spreadsheet.
pub(super) fn name_spreadsheet(file_name: &str) -> Option<&'static str> {
    let ending = file_name.rsplit_once('.')?.1;
    let is_one_of = |known: &[&str]| known.iter().any(|known| ending.eq_ignore_ascii_case(known));
    if is_one_of(&["xlsx", "xlsm", "xlsb", "xls"]) {
        Some(SPREADSHEET)
    } else {
        is_one_of(&["ods"]).then_some("it is an OpenDocument spreadsheet: save each sheet as CSV")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_formats_are_named() {
        for (bytes, word) in [
            (&b"%PDF-1.7\n%\xE2\xE3"[..], "PDF"),
            (b"PK\x03\x04....xl/workbook.xml", "Excel"),
            (b"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "OpenDocument"),
            (b"PK\x03\x04....sales.csv", "ZIP"),
            (b"\xD0\xCF\x11\xE0\xA1\xB1", "Office"),
            (b"\xEF\xBB\xBF\r\n<!DOCTYPE html><html>", "HTML"),
            (b"<?xml version=\"1.0\"?><html xmlns=\"x\">", "HTML"),
            (b"<?xml version=\"1.0\"?><rows/>", "XML"),
            (b"[\n  {\"id\": 1}\n]", "JSON"),
            (b"{\"id\": 1}\n{\"id\": 2}\n", "JSON"),
            (b"--\n-- PostgreSQL database dump\n", "SQL"),
            (&[1; 200], "binary"),
        ] {
            let words = name_other_format(bytes).unwrap_or_else(|| panic!("{bytes:?} is taken for CSV"));
            assert!(words.contains(word), "{words}");
        }
    }

    #[test]
    fn delimited_text_is_none_of_them() {
        let utf16: Vec<u8> = "id,name\n1,日本語\n".repeat(20).encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [&b"id,name\n1,a\n"[..], b"", b"[x],{y}\n", b"1\x012\n3\x014\n", &utf16, b"<5,>7\n"] {
            assert_eq!(name_other_format(bytes), None, "{bytes:?}");
        }
    }
}
