//! What the generator writes otherwise than plainly: flaws of every kind, and good records that look like flaws.

use super::employee::{Employee, quote_cell};

/// What becomes of a record under the example's dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExpectedOutcome {
    /// It is a row.
    Inserted,
    /// It is a row that the table has already.
    Unchanged,
    /// It is a reject with at least these errors, written `code:field` or `code`, parted by blanks.
    Rejected(&'static str),
}

/// Writes a record for the first employee. The second is an earlier one, whose record is plain.
type WriteRecord = fn(&Employee, &Employee) -> Vec<u8>;

/// A way to write a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Oddity {
    pub(crate) what: &'static str,
    pub(crate) outcome: ExpectedOutcome,
    pub(crate) write: WriteRecord,
}

const fn good(what: &'static str, write: WriteRecord) -> Oddity {
    Oddity { what, outcome: ExpectedOutcome::Inserted, write }
}

const fn same(what: &'static str, write: WriteRecord) -> Oddity {
    Oddity { what, outcome: ExpectedOutcome::Unchanged, write }
}

const fn bad(what: &'static str, errors: &'static str, write: WriteRecord) -> Oddity {
    Oddity { what, outcome: ExpectedOutcome::Rejected(errors), write }
}

const ID: usize = 0;
const NAME: usize = 1;
const DATETIME: usize = 2;
const DEPARTMENT: usize = 3;
const JOB: usize = 4;

/// Good records that look odd.
pub(crate) const TRICKY: [Oddity; 18] = [
    good("a comma in quotes", |e, _| e.with(NAME, &quote_cell(&format!("{}, {}", e.last, e.first))).into()),
    good("a line break in quotes", |e, _| e.with(NAME, &quote_cell(&format!("{}\n{}", e.first, e.last))).into()),
    good("CR and LF in quotes", |e, _| e.with(NAME, &quote_cell(&format!("{}\r\n{}", e.first, e.last))).into()),
    good("quotes in quotes", |e, _| e.with(NAME, &quote_cell(&format!("{} \"Knot\" {}", e.first, e.last))).into()),
    good("every cell in quotes", |e, _| e.csv_cells().map(|cell| quote_cell(&cell)).join(",").into()),
    good("CRLF where other lines end in LF", |e, _| format!("{}\r", e.csv_record()).into()),
    good("letters with marks", |e, _| e.with(NAME, &format!("Ōm{} Žý{}", e.first, e.last)).into()),
    good("a combining mark", |e, _| e.with(NAME, &format!("{}e\u{301} {}", e.first, e.last)).into()),
    good("another script", |e, _| e.with(NAME, "Ωμβρ Καλκυ").into()),
    good("a character of four bytes", |e, _| e.with(NAME, &format!("{} ⚓🌊", e.name())).into()),
    good("blanks around the name, kept", |e, _| e.with(NAME, &format!("  {} ", e.name())).into()),
    good("a name that is the word NULL", |e, _| e.with(NAME, "NULL").into()),
    good("a name that a spreadsheet would run", |e, _| e.with(NAME, &format!("={}", e.last)).into()),
    good("in UTC it is the next year", |e, _| e.with(DATETIME, "2020-12-31T22:30:00-03:00").into()),
    good("in UTC it is the year before", |e, _| e.with(DATETIME, "2021-01-01T04:15:00+05:30").into()),
    good("in UTC it is another quarter", |e, _| e.with(DATETIME, "2021-07-01T00:59:59+01:00").into()),
    good("tenths of a second", |e, _| e.with(DATETIME, "2021-09-30T23:59:59.5Z").into()),
    good("millionths of a second", |e, _| e.with(DATETIME, "2021-12-31T23:59:59.999999Z").into()),
];

/// Records that say what an earlier one said.
pub(crate) const REPEATS: [Oddity; 2] = [
    same("the same line again", |_, earlier| earlier.csv_record().into()),
    same("the same row again, with quotes", |_, earlier| {
        earlier.csv_cells().map(|cell| quote_cell(&cell)).join(",").into()
    }),
];

/// Records that break a rule.
pub(crate) const FLAWS: [Oddity; 41] = [
    bad("no id", "constraint-error:id", |e, _| e.with(ID, "").into()),
    bad("no name", "constraint-error:name", |e, _| e.with(NAME, "").into()),
    bad("no datetime", "constraint-error:datetime", |e, _| e.with(DATETIME, "").into()),
    bad("no department", "constraint-error:department_id", |e, _| e.with(DEPARTMENT, "").into()),
    bad("no job", "constraint-error:job_id", |e, _| e.with(JOB, "").into()),
    bad("an empty name in quotes", "constraint-error:name", |e, _| e.with(NAME, "\"\"").into()),
    bad("a name of blanks", "constraint-error:name", |e, _| e.with(NAME, "   ").into()),
    bad("a name of tabs", "constraint-error:name", |e, _| e.with(NAME, "\t\t").into()),
    bad("an id that is a word", "type-error:id", |e, _| e.with(ID, "n/a").into()),
    bad("an id with decimals", "type-error:id", |e, _| e.with(ID, &format!("{}.5", e.id)).into()),
    bad("an id beyond 64 bits", "type-error:id", |e, _| e.with(ID, "9223372036854775808").into()),
    bad("a job of forty digits", "type-error:job_id", |e, _| e.with(JOB, &"7".repeat(40)).into()),
    bad("a department that is a word", "type-error:department_id", |e, _| e.with(DEPARTMENT, "Cargo").into()),
    bad("a job with an exponent", "type-error:job_id", |e, _| e.with(JOB, "1e2").into()),
    bad("a job that is the word NULL", "type-error:job_id", |e, _| e.with(JOB, "NULL").into()),
    bad("month 13", "type-error:datetime", |e, _| e.with(DATETIME, "2021-13-07T02:48:42Z").into()),
    bad("a leap day in a common year", "type-error:datetime", |e, _| e.with(DATETIME, "2021-02-29T12:00:00Z").into()),
    bad("31 April", "type-error:datetime", |e, _| e.with(DATETIME, "2021-04-31T08:30:00Z").into()),
    bad("hour 25", "type-error:datetime", |e, _| e.with(DATETIME, "2021-06-15T25:10:00Z").into()),
    bad("no zone", "type-error:datetime", |e, _| e.with(DATETIME, e.datetime.trim_end_matches('Z')).into()),
    bad("a date without a time", "type-error:datetime", |e, _| e.with(DATETIME, &e.datetime[..10]).into()),
    bad("day, month, year", "type-error:datetime", |e, _| e.with(DATETIME, "30/05/2021 05:43").into()),
    bad("NUL in a datetime", "type-error:datetime", |e, _| e.with(DATETIME, "2021-05-30\0T05:43:46Z").into()),
    bad("an unknown department", "foreign-key:department_id", |e, _| e.with(DEPARTMENT, "99").into()),
    bad("department 0", "foreign-key:department_id", |e, _| e.with(DEPARTMENT, "0").into()),
    bad("an unknown job", "foreign-key:job_id", |e, _| e.with(JOB, "1999").into()),
    bad("unknown department and job", "foreign-key:department_id foreign-key:job_id", |e, _| {
        Employee { department: 77, job: 7777, ..e.clone() }.csv_record().into()
    }),
    bad("an earlier id, another name", "primary-key:id", |e, earlier| {
        Employee { first: e.last.clone(), last: e.first.clone(), ..earlier.clone() }.csv_record().into()
    }),
    bad("an earlier id, another second", "primary-key:id", |_, earlier| {
        earlier.with(DATETIME, "2021-11-11T11:11:11Z").into()
    }),
    bad("one cell is missing", "missing-cell:job_id", |e, _| e.csv_cells()[..JOB].join(",").into()),
    bad("two cells are missing", "missing-cell:department_id missing-cell:job_id", |e, _| {
        e.csv_cells()[..DEPARTMENT].join(",").into()
    }),
    bad("semicolons for commas", "type-error:id missing-cell:job_id", |e, _| e.csv_cells().join(";").into()),
    bad("one cell more", "extra-cell", |e, _| format!("{},see note", e.csv_record()).into()),
    bad("an empty cell more", "extra-cell", |e, _| format!("{},", e.csv_record()).into()),
    bad("a comma without quotes", "extra-cell type-error:datetime", |e, _| {
        e.with(NAME, &format!("{}, {}", e.last, e.first)).into()
    }),
    bad("a blank line", "blank-row", |_, _| Vec::new()),
    bad("only commas", "blank-row", |_, _| b",,,,".to_vec()),
    bad("a byte that is never in UTF-8", "encoding-error", |e, _| append_bytes(e, b"\xFF")),
    bad("a letter in Latin-1", "encoding-error", |e, _| append_bytes(e, b"\xE9")),
    bad("text after a closing quote", "source-error:name", |e, _| {
        e.with(NAME, &format!("\"{}\" {}", e.first, e.last)).into()
    }),
    bad(
        "five errors at once",
        "type-error:id constraint-error:name type-error:datetime foreign-key:department_id constraint-error:job_id",
        |_, _| b"none,,2021-00-00T00:00:00Z,99,".to_vec(),
    ),
];

/// Comes last: what follows would be within the quotes.
pub(crate) const UNCLOSED: Oddity =
    bad("a quote that is never closed", "source-error:name", |e, _| e.with(NAME, &format!("\"{}", e.name())).into());

/// The record with `bytes` at the end of the name.
fn append_bytes(employee: &Employee, bytes: &[u8]) -> Vec<u8> {
    let [id, name, rest @ ..] = employee.csv_cells();
    [format!("{id},{name}").as_bytes(), bytes, b",", rest.join(",").as_bytes()].concat()
}
