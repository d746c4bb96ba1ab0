//! How an option is named to the person who may set it.

/// Where the person who is told stands: an option has other marks on the command line than in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OptionStyle {
    /// At a terminal: `--ignore-extra`.
    #[default]
    CommandLine,
    /// At the other end of HTTP: `ignore_extra`.
    RequestParameter,
}

impl OptionStyle {
    /// The name of `option`, which is given in the words of the command line without its dashes, such as `ignore-extra`.
    #[must_use]
    pub fn name_option(self, option: &str) -> String {
        match self {
            Self::CommandLine => format!("--{option}"),
            Self::RequestParameter => option.replace('-', "_"),
        }
    }
}
