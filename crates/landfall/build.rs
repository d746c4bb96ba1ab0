//! Takes the files of Swagger UI that `/docs` shows out of their archive: the others are most of it, and the program would carry them.

use std::{
    env,
    error::Error,
    fs::File,
    io::{self, Cursor},
    path::PathBuf,
};

use flate2::{Compression, write::GzEncoder};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED as ARCHIVE;
use zip::ZipArchive;

/// Files that the page loads. `http/resources/docs.rs` has the same list, with their media types.
const FILES: [&str; 3] = ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut archive = ZipArchive::new(Cursor::new(ARCHIVE))?;
    for name in FILES {
        let path = find_path(&archive, name).ok_or_else(|| format!("the archive of Swagger UI has no {name}"))?;
        let mut packed = GzEncoder::new(File::create(out.join(format!("{name}.gz")))?, Compression::best());
        io::copy(&mut archive.by_name(&path)?, &mut packed)?;
        packed.finish()?;
    }
    Ok(())
}

/// The path of a file in the archive, where it stands in a folder that is called after the version.
fn find_path(archive: &ZipArchive<Cursor<&[u8]>>, name: &str) -> Option<String> {
    let ending = format!("/dist/{name}");
    let is_wanted = |path: &str| path.ends_with(&ending) && path.matches('/').count() == 2;
    archive.file_names().filter_map(Result::ok).find(|path| is_wanted(path)).map(|path| path.into_owned())
}
