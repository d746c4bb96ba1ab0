//! Stand-ins until the engine has them.
pub(crate) mod init {
    use std::path::Path;
    pub(crate) struct Proposal {
        pub(crate) package_yaml: String,
        pub(crate) landfall_yaml: String,
        pub(crate) notes: Vec<String>,
    }
    pub(crate) fn propose(_folder: &Path) -> landfall_engine::Result<Proposal> {
        Err(landfall_engine::Error::Usage("init is not built yet".into()))
    }
}
