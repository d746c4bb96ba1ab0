//! Tables as wide as a server takes them: what a load and a backup hold at most.

use super::{place::Kind, site::Site};
use crate::support::{Project, measured};

/// The most memory of a command, in MiB.
const MOST: u64 = 256;

#[test]
fn wide_tables_do_not_take_more_memory_on_servers() {
    // Both hold about 8,000 bytes in a row, beside long texts.
    let fields = 900;
    for kind in Kind::DATABASES {
        let project = Project::empty();
        let list = |word: &dyn Fn(usize) -> String| (0..fields).map(word).collect::<Vec<_>>().join(",");
        let schema = list(&|at| format!("{{name: f{at}, type: integer}}"));
        project.write(
            "datapackage.yaml",
            format!("resources: [{{name: t, path: t.csv, schema: {{fields: [{schema}], primaryKey: f0}}}}]"),
        );
        let row = |id: usize| list(&|at| if at == 0 { id.to_string() } else { "1".into() });
        // Each record of the second half has as many errors as fields.
        let bad = |id: usize| list(&|at| if at == 0 { id.to_string() } else { "x".into() });
        let lines: Vec<String> = (0..400).map(row).chain((400..800).map(bad)).collect();
        project.write("t.csv", format!("{}\n{}\n", list(&|at| format!("f{at}")), lines.join("\n")));
        let site = Site::new(project, kind);
        for command in [
            &["load", "-q", "--threads", "4"][..],
            &["load", "-q", "--threads", "4", "--force", "--mode", "upsert"],
            &["load", "-q", "--threads", "4", "--force", "--mode", "replace", "--max-rejects", "1000"],
            &["verify", "-q"],
            &["backup", "-q", "--to", "sets"],
            &["restore", "-q", "t", "--in", "sets"],
            &["rejects", "retry", "-q"],
        ] {
            let (code, peak) = measured(site.command(command));
            assert_eq!(code, Some(0), "{kind:?} {command:?}");
            match peak {
                Some(peak) => assert!(peak < MOST, "{kind:?} {command:?} held {peak} MiB"),
                None => eprintln!("not measured: there is no /proc"),
            }
        }
        assert_eq!(site.count("t"), 400, "{kind:?}");
    }
}
