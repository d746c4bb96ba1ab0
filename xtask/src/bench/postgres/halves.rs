//! A file of employees in two halves, for two programs side by side.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::PathBuf,
};

use anyhow::Result;

use super::super::ground::BenchProject;

/// The halves of the project's file of employees. They are written once, and kept. Only for clean files: a line break
/// within quotes would be taken for the end of a record.
pub(super) fn split_employees(project: &BenchProject) -> Result<[PathBuf; 2]> {
    let halves = ["first-half.csv", "second-half.csv"].map(|name| project.folder.join(name));
    let size = |half: &PathBuf| fs::metadata(half).map_or(0, |data| data.len());
    if halves.iter().map(size).sum::<u64>() != project.tally.bytes {
        write(project, &halves)?;
    }
    Ok(halves)
}

fn write(project: &BenchProject, [first, second]: &[PathBuf; 2]) -> Result<()> {
    let mut file = BufReader::new(File::open(project.csv_file("hired_employees"))?);
    file.seek(SeekFrom::Start(project.tally.bytes / 2))?;
    file.skip_until(b'\n')?;
    let cut = file.stream_position()?;
    io::copy(&mut file, &mut File::create(second)?)?;
    file.rewind()?;
    io::copy(&mut file.take(cut), &mut File::create(first)?)?;
    Ok(())
}
