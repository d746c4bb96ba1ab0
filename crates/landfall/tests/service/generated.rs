//! Requests made from the OpenAPI document by Schemathesis (<https://schemathesis.io>), with all of its checks: no answer deviates
//! from the document, and none says that the service has failed.
//!
//! `make test` installs it below `target/tools`. `LANDFALL_SOAK=1` makes many more requests.

use std::{path::PathBuf, process::Command};

use super::{place::Kind, served::Served};

fn program() -> PathBuf {
    let root = super::support::repository();
    let program = root.join("target/tools/schemathesis/bin/st");
    assert!(program.exists(), "there is no {}; `make needs` installs it", program.display());
    program
}

#[test]
fn no_answer_deviates_from_the_document() {
    let (examples, seconds) = if std::env::var_os("LANDFALL_SOAK").is_some() { ("1000", "3600") } else { ("8", "60") };
    let served = Served::example(Kind::Sqlite);
    let token = served.make_token(&["--role", "admin"]);
    served.run(&["load", "--quiet"]).exits(0);
    // Until it has noticed the token, the service takes everybody on this machine for an admin.
    super::access::wait_for_tokens(&served);
    let settings = super::support::repository().join("crates/landfall/tests/service/schemathesis.toml");
    let mut program = Command::new(program());
    program.arg("--config-file").arg(settings).arg("run").arg(format!("http://{}/openapi.json", served.address));
    program.args(["--header", &format!("Authorization: Bearer {token}"), "--seed", "1"]);
    program.args(["--max-examples", examples, "--max-time", seconds, "--workers", "1", "--no-color"]);
    let run = program.current_dir(served.project.path()).output().unwrap();
    assert!(run.status.success(), "{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
}
