//! What a backup writes, two other programs read: fastavro, and the Avro project's own library for Python. `make test` installs them
//! below `target/tools`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::Project;
use serde_json::Value;

fn python() -> PathBuf {
    let program = crate::support::repository().join("target/tools/readers/bin/python");
    assert!(program.exists(), "there is no {}; `make needs` installs it", program.display());
    program
}

/// The rows of a file as a reader sees them.
fn read(reader: &str, file: &Path) -> Vec<Vec<Value>> {
    let script = crate::support::repository().join("crates/landfall/tests/cli/readers.py");
    let run = Command::new(python()).arg(script).arg(reader).arg(file).output().unwrap();
    assert!(run.status.success(), "{reader}, {}: {}", file.display(), String::from_utf8_lossy(&run.stderr));
    let text = String::from_utf8(run.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of a table as they stand in SQLite.
fn stored(project: &Project, table: &str) -> Vec<Vec<Value>> {
    let database = project.database();
    let mut statement = database.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
    let columns = statement.column_count();
    let cell = |row: &rusqlite::Row<'_>, at| match row.get_ref(at).unwrap() {
        rusqlite::types::ValueRef::Null => Value::Null,
        rusqlite::types::ValueRef::Integer(number) => number.into(),
        rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
        other => panic!("{other:?}"),
    };
    let rows = statement.query_map([], |row| Ok((0..columns).map(|at| cell(row, at)).collect())).unwrap();
    rows.map(Result::unwrap).collect()
}

const PACKAGE: &str = "resources:
  - name: things
    path: things.csv
    schema:
      missingValues: [NA]
      primaryKey: id
      fields:
        - {name: id, type: integer, description: The number}
        - {name: 'large one', type: integer}
        - {name: amount, type: number}
        - {name: ok, type: boolean}
        - {name: day, type: date}
        - {name: clock, type: time}
        - {name: at, type: datetime}
        - {name: name, type: string}
        - {name: key, type: string, format: uuid}
        - {name: list, type: list, itemType: integer}
        - {name: thing, type: object}
        - {name: year, type: year}
";

const ROWS: &str = "1,9223372036854775807,1.5,true,2021-11-07,02:48:42,2021-11-07T02:48:42Z,Ann,123e4567-e89b-12d3-a456-426614174000,\"1,2\",\"{\"\"a\"\": [1.50]}\",2021
2,-9223372036854775808,-1234567890123456789012345678901234567890.000000000000000000001,false,0001-01-01,23:59:59.999999,1900-01-01T00:00:00.000001Z,\"ä \"\"😀\"\" \n,\",00000000-0000-0000-0000-000000000000,NA,{},0001
3,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA
4,0,-0.05,true,9999-12-31,00:00:00,9999-12-31T23:59:59.999999Z,,ffffffff-ffff-ffff-ffff-ffffffffffff,\"-1\",{},9999
";

/// Truth values as SQLite keeps them.
fn as_stored(rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    let cell = |cell: Value| match cell {
        Value::Bool(value) => Value::from(i64::from(value)),
        other => other,
    };
    let mut rows: Vec<Vec<Value>> = rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect();
    rows.sort_by_key(|row| row[0].as_i64());
    rows
}

#[test]
fn two_other_programs_read_what_was_written() {
    let project = Project::empty();
    project.write("datapackage.yaml", PACKAGE);
    project.write("things.csv", format!("id,large one,amount,ok,day,clock,at,name,key,list,thing,year\n{ROWS}"));
    let counts = project.run(&["load", "--json"]).exits(0).counts("things");
    assert_eq!(counts[1], 4, "{counts:?}");
    let wanted = stored(&project, "things");
    for codec in ["none", "deflate", "snappy", "bzip2", "xz", "zstd"] {
        let set = project.run(&["backup", "--codec", codec, "--json"]).exits(0).json();
        let file = Path::new(set["location"].as_str().unwrap()).join("things.avro");
        assert_eq!(as_stored(read("fastavro", &file)), wanted, "fastavro, {codec}");
        // The Avro project's library for Python knows no xz.
        if codec != "xz" {
            assert_eq!(as_stored(read("avro", &file)), wanted, "avro, {codec}");
        }
    }
}

#[test]
fn the_example_is_read_by_others() {
    let project = Project::example();
    project.run(&["load", "-q"]).exits(0);
    let set = project.run(&["backup", "--json"]).exits(0).json();
    for table in ["departments", "jobs", "hired_employees"] {
        let file = Path::new(set["location"].as_str().unwrap()).join(format!("{table}.avro"));
        let wanted = stored(&project, table);
        assert_eq!(as_stored(read("fastavro", &file)), wanted, "{table}");
        assert_eq!(as_stored(read("avro", &file)), wanted, "{table}");
    }
}
