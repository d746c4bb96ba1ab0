//! The example's data (`cargo xtask gen hr`): made up, and the same at every run.

mod employee;
mod oddity;
mod parents;

use std::{fs, path::Path};

use anyhow::{Context, Result};

use employee::Employee;
pub(crate) use employee::number_lines;
use oddity::{ExpectedOutcome, FLAWS, Oddity, REPEATS, TRICKY, UNCLOSED};
pub(crate) use parents::{DEPARTMENTS, JOB_COUNT, job_names};

use crate::{names::PeopleNames, random::Random};

const SEED: u64 = 0x1A4D_FA11;
const EMPLOYEES: usize = 2_000;

/// The files of the example that are generated: path within the example's folder, content.
fn generated_files() -> Vec<(&'static str, Vec<u8>)> {
    let (employees, oddities) = employees_file();
    vec![
        ("data/departments.csv", employee::departments_csv().into()),
        ("data/jobs.csv", employee::jobs_csv().into()),
        ("data/hired_employees.csv", employees),
        ("oddities.csv", oddities.into()),
    ]
}

/// Writes the files into the example's folder.
pub(crate) fn write(folder: &Path) -> Result<()> {
    for (path, content) in generated_files() {
        let path = folder.join(path);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The file of employees, and the list of what is odd in it.
fn employees_file() -> (Vec<u8>, String) {
    let mut random = Random::new(SEED);
    let names = PeopleNames::new();
    let plan = plan_oddities(&mut random);
    let mut file = EmployeeFile::new();
    let mut earlier = Employee::make_up(1, &names, &mut random);
    for (id, oddity) in (1..).zip(plan) {
        let employee = Employee::make_up(id, &names, &mut random);
        file.push(oddity.as_ref(), &employee, &earlier);
        if oddity.is_none() {
            earlier = employee;
        }
    }
    (file.bytes, file.oddities)
}

/// For each record how it is written: plainly, or with an oddity. The first is plain, the last never closes its quote.
fn plan_oddities(random: &mut Random) -> Vec<Option<Oddity>> {
    let odd = [(&FLAWS[..], 2), (&TRICKY[..], 3), (&REPEATS[..], 3)]
        .into_iter()
        .flat_map(|(oddities, times)| oddities.repeat(times).into_iter().map(Some));
    let mut plan: Vec<_> = odd.collect();
    plan.resize(EMPLOYEES - 2, None);
    random.shuffle_items(&mut plan);
    plan.insert(0, None);
    plan.push(Some(UNCLOSED));
    plan
}

/// The file as it grows.
struct EmployeeFile {
    bytes: Vec<u8>,
    oddities: String,
    record: usize,
    line: usize,
}

impl EmployeeFile {
    fn new() -> Self {
        Self { bytes: Vec::new(), oddities: "record,line,outcome,errors,what\n".into(), record: 1, line: 1 }
    }

    fn push(&mut self, oddity: Option<&Oddity>, employee: &Employee, earlier: &Employee) {
        let record = oddity.map_or_else(|| employee.csv_record().into(), |oddity| (oddity.write)(employee, earlier));
        if let Some(oddity) = oddity {
            self.list_oddity(oddity);
        }
        self.record += 1;
        self.line += 1 + record.iter().filter(|&&byte| byte == b'\n').count();
        self.bytes.extend(record);
        self.bytes.push(b'\n');
    }

    fn list_oddity(&mut self, oddity: &Oddity) {
        let (outcome, errors) = match oddity.outcome {
            ExpectedOutcome::Inserted => ("inserted", ""),
            ExpectedOutcome::Unchanged => ("unchanged", ""),
            ExpectedOutcome::Rejected(errors) => ("rejected", errors),
        };
        let what = if oddity.what.contains(',') { employee::quote_cell(oddity.what) } else { oddity.what.into() };
        self.oddities += &format!("{},{},{outcome},{errors},{what}\n", self.record, self.line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_files_are_what_the_generator_writes() {
        for (path, content) in generated_files() {
            let committed = fs::read(crate::workspace_root().join("examples/hr").join(path)).unwrap_or_default();
            assert!(committed == content, "{path} differs: run `cargo xtask gen hr`");
        }
    }

    #[test]
    fn some_four_percent_of_the_employees_are_bad() {
        let (_, oddities) = employees_file();
        let rejected = oddities.lines().filter(|line| line.contains(",rejected,")).count();
        assert_eq!(rejected, 83);
    }
}
