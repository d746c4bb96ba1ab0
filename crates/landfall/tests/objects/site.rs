//! A project whose backups go to a place of their own.

use std::sync::OnceLock;

use serde_json::Value;
use testbed::{ObjectStorage, ObjectStorageKind as Kind};

use super::support::{Project, Run, random::Random};

/// A server for tests that do not hurt it.
pub(crate) fn shared(kind: Kind) -> &'static ObjectStorage {
    static S3: OnceLock<ObjectStorage> = OnceLock::new();
    static GCS: OnceLock<ObjectStorage> = OnceLock::new();
    static AZURE: OnceLock<ObjectStorage> = OnceLock::new();
    let place = match kind {
        Kind::S3 => &S3,
        Kind::Gcs => &GCS,
        Kind::Azure => &AZURE,
    };
    place.get_or_init(|| ObjectStorage::start(kind).unwrap())
}

/// A project whose landfall.yaml says where its backups go.
pub(crate) struct Site {
    pub(crate) project: Project,
    /// Where that is.
    pub(crate) url: String,
}

impl Site {
    /// `project`, loaded, with backups at `prefix` of a storage that is reached at `endpoint`.
    pub(crate) fn at(mut project: Project, storage: &ObjectStorage, endpoint: &str, prefix: &str) -> Self {
        project.run(&["load", "-q"]).exits(0);
        for (name, value) in storage.credential_variables() {
            project.set(name, &value);
        }
        let url = storage.object_url(prefix);
        let site = Self { project, url };
        site.write_settings(&format!("endpoint: '{endpoint}', allow_http: true, allow_private_addresses: true"));
        site
    }

    /// The example on the shared server.
    pub(crate) fn example(kind: Kind, prefix: &str) -> Self {
        Self::at(Project::example(), shared(kind), &shared(kind).endpoint_url(), prefix)
    }

    /// The example with its backups in a folder.
    pub(crate) fn local() -> Self {
        let project = Project::example();
        project.run(&["load", "-q"]).exits(0);
        let url = format!("file://{}", project.path().join("sets").display());
        let site = Self { project, url };
        site.write_settings("");
        site
    }

    /// A project with one table whose file has more than one part of an upload.
    pub(crate) fn large(storage: &ObjectStorage, endpoint: &str, prefix: &str) -> Self {
        Self::at(Project::people(&large_rows()), storage, endpoint, prefix)
    }

    /// Says what stands under `storage`, and where backups go.
    pub(crate) fn write_settings(&self, storage: &str) {
        let kept = if self.project.path().join("landfall.yaml").is_file() {
            self.project.read("landfall.yaml")
        } else {
            String::new()
        };
        let kept = kept.split("\n# test\n").next().unwrap().to_owned();
        let text = format!("{kept}\n# test\nbackup: {{to: '{}'}}\nstorage: {{{storage}}}\n", self.url);
        self.project.write("landfall.yaml", text);
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.project.run(arguments)
    }

    /// A new set.
    #[track_caller]
    pub(crate) fn backup(&self, arguments: &[&str]) -> Value {
        self.run(&[&["backup", "--json"], arguments].concat()).exits(0).json()
    }

    /// The names of the sets.
    #[track_caller]
    pub(crate) fn sets(&self) -> Vec<String> {
        let listed = self.run(&["backups", "list", "--json"]).exits(0).json();
        listed["sets"].as_array().unwrap().iter().map(|set| set["set"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn content(&self, table: &str) -> Vec<String> {
        super::support::audit::content(&self.project, table).into_iter().map(|row| format!("{row:?}")).collect()
    }
}

/// What the tables of a set hold.
pub(crate) fn digests(set: &Value) -> Vec<(String, String)> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    set["tables"].as_array().unwrap().iter().map(|entry| (text(entry, "table"), text(entry, "digest"))).collect()
}

/// People with long names: some 20 MiB.
fn large_rows() -> String {
    let mut random = Random::new(1);
    let mut rows = String::new();
    for id in 0..20_000 {
        let word: String = (0..16).map(|_| format!("{:016x}", random.below(u64::MAX))).collect();
        rows.push_str(&format!("{id},{0}{0}{0}{0},{1}\n", word, id % 90));
    }
    rows
}
