//! How a server is to be started.

use std::path::PathBuf;

/// Whether a server speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// It does not.
    #[default]
    Off,
    /// To those who ask for it.
    On,
    /// It refuses connections without it.
    Required,
    /// To those who ask for it, with a certificate of another host (`another-host.test`): `verify-full` must fail.
    WrongHost,
}

/// How a server is to be started. The default is a server for ordinary tests: it does not wait for the disk, so it
/// outlives a kill of its processes, but not of the machine.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) tls: Tls,
    pub(crate) stock: bool,
    pub(crate) icu_locale: Option<String>,
    pub(crate) parent: Option<PathBuf>,
}

impl ServerOptions {
    /// The server's own defaults, which are durable: nothing is tuned for tests.
    #[must_use]
    pub fn stock_settings() -> Self {
        Self { stock: true, ..Self::default() }
    }

    /// A setting of the server, as in its configuration file: `("max_connections", "20")`, `("local_infile", "OFF")`.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With TLS; the server's [`certificates`](crate::Server::certificates) tell which authority to trust.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// A locale of the ICU library (`en-US`) for the order of text, instead of `C.UTF-8`. PostgreSQL 15 and newer only.
    #[must_use]
    pub fn with_icu_locale(mut self, locale: &str) -> Self {
        self.icu_locale = Some(locale.to_owned());
        self
    }

    /// The folder in which the server's own is made, instead of the system's for temporary files. The server's user must be
    /// able to write to it.
    #[must_use]
    pub fn within_folder(mut self, parent: impl Into<PathBuf>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    /// The settings that a server starts with: the caller's win over those for tests.
    pub(crate) fn settings_over(&self, for_tests: &[(&str, &str)]) -> Vec<(String, String)> {
        let for_tests = for_tests.iter().filter(|_| !self.stock);
        let own = for_tests.map(|&(name, value)| (name.to_owned(), value.to_owned()));
        own.chain(self.settings.iter().cloned()).collect()
    }
}
