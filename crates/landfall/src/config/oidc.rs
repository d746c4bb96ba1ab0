//! `api.oidc` in `landfall.yaml`: whose tokens the service takes beside its own.

use std::path::{Path, PathBuf};

use landfall_core::schema::document::{DescriptorProblems, DocumentNode, NodeValue, find_nearest};
use landfall_engine::token::Role;
use ureq::http::Uri;

use crate::web::is_loopback;

/// Whose tokens the service takes beside its own: signed by a provider of OpenID Connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OidcConfig {
    /// The provider, as its tokens name it.
    pub(crate) issuer: String,
    /// The services that tokens may be for: one of these must be named.
    pub(crate) audiences: Vec<String>,
    /// Where the provider's keys are.
    pub(crate) keys: KeySource,
    /// The certificates that are trusted in place of the system's, where the keys are asked for.
    pub(crate) authority: Option<PathBuf>,
    /// The claim with the roles; a path with dots, where there is no claim of just this name.
    pub(crate) role_claim: String,
    /// The provider's roles that mean something here, and what they mean.
    pub(crate) roles: Vec<(String, Role)>,
}

/// Where the keys of a provider are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// Where the provider says: below the issuer, at `/.well-known/openid-configuration`.
    Discovered(Uri),
    /// At this address.
    Url(Uri),
    /// In this file.
    File(PathBuf),
}

pub(super) fn read(node: &DocumentNode, folder: &Path, problems: &DescriptorProblems) -> Option<OidcConfig> {
    let mut reader = node.read_map("\"oidc\"", problems)?;
    let issuer =
        reader.require_value("issuer").and_then(|node| Some((read_nonempty_text(node, "issuer", problems)?, node)));
    let audiences = reader.require_value("audience").and_then(|node| read_audiences(node, problems));
    let keys = match (reader.take_value("jwks"), issuer) {
        (Some(node), _) => read_key_source(node, folder, problems),
        (None, Some((issuer, node))) => discovered_key_source(issuer, node, problems),
        (None, None) => None,
    };
    let authority = reader.take_text("ca").map(|path| folder.join(path));
    let role_claim = match reader.take_value("roleClaim") {
        Some(node) => read_nonempty_text(node, "roleClaim", problems),
        None => Some("roles"),
    };
    let roles = match reader.take_value("roles") {
        Some(node) => read_roles(node, problems),
        None => Some(Role::ALL.map(|role| (role.as_str().to_owned(), role)).to_vec()),
    };
    reader.refuse_unknown();
    Some(OidcConfig {
        issuer: issuer?.0.to_owned(),
        audiences: audiences?,
        keys: keys?,
        authority,
        role_claim: role_claim?.to_owned(),
        roles: roles?,
    })
}

/// A text that is not empty.
fn read_nonempty_text<'n>(node: &'n DocumentNode, name: &str, problems: &DescriptorProblems) -> Option<&'n str> {
    let text = node.read_text(&format!("\"{name}\""), problems)?;
    if text.trim().is_empty() {
        problems.report_problem(&node.place, format!("\"{name}\" must not be empty"));
        return None;
    }
    Some(text)
}

/// One name, or a list of some.
fn read_audiences(node: &DocumentNode, problems: &DescriptorProblems) -> Option<Vec<String>> {
    let NodeValue::List(nodes) = &node.value else {
        return Some(vec![read_nonempty_text(node, "audience", problems)?.to_owned()]);
    };
    if nodes.is_empty() {
        problems.report_with_mend(
            &node.place,
            "\"audience\" names nobody",
            "write the name that the provider gives this service",
        );
        return None;
    }
    nodes.iter().map(|node| read_nonempty_text(node, "audience", problems).map(str::to_owned)).collect()
}

fn read_key_source(node: &DocumentNode, folder: &Path, problems: &DescriptorProblems) -> Option<KeySource> {
    let text = read_nonempty_text(node, "jwks", problems)?;
    if !text.contains("://") {
        return Some(KeySource::File(folder.join(text)));
    }
    let url = parse_trusted_url(text);
    if url.is_none() {
        let message = format!("\"jwks\" cannot be \"{}\"", text.escape_debug());
        problems.report_with_mend(&node.place, message, "write an address with https://, or a file");
    }
    url.map(KeySource::Url)
}

fn discovered_key_source(issuer: &str, node: &DocumentNode, problems: &DescriptorProblems) -> Option<KeySource> {
    // An issuer may end in a slash, as Auth0's do. The tokens name it just so, and it stays in `issuer`.
    let url = parse_trusted_url(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')));
    if url.is_none() {
        let message = format!("the keys of \"{}\" cannot be looked for there", issuer.escape_debug());
        problems.report_with_mend(
            &node.place,
            message,
            "write an issuer with https://, or where the keys are as \"jwks\"",
        );
    }
    url.map(KeySource::Discovered)
}

/// An address from which keys may come: who can change them on the way could make tokens.
pub(crate) fn parse_trusted_url(text: &str) -> Option<Uri> {
    let url: Uri = text.parse().ok()?;
    let safe = match url.scheme_str()? {
        "https" => true,
        "http" => is_loopback(&url),
        _ => false,
    };
    // A password in it would be told in each error.
    let bare = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    (safe && bare && url.host().is_some_and(|host| !host.is_empty())).then_some(url)
}

/// `{their name: reader, another: admin}`.
fn read_roles(node: &DocumentNode, problems: &DescriptorProblems) -> Option<Vec<(String, Role)>> {
    let NodeValue::Map(entries) = &node.value else {
        problems.report_with_mend(&node.place, "\"roles\" must be a map of properties", "write {THEIR ROLE: reader}");
        return None;
    };
    let role = |node: &DocumentNode| {
        let text = node.read_text("a role", problems)?;
        let role = Role::parse(text);
        if role.is_none() {
            let names = Role::ALL.map(Role::as_str);
            let mend = match find_nearest(text, names.into_iter()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("write one of: {}", names.join(", ")),
            };
            problems.report_with_mend(&node.place, format!("there is no role \"{}\"", text.escape_debug()), mend);
        }
        role
    };
    entries.iter().map(|entry| Some((entry.key.clone(), role(&entry.node)?))).collect()
}
