//! The roles that the claims of a token name.

use landfall_engine::token::Role;
use serde_json::{Map, Value};

use crate::config::Oidc as Settings;

/// The roles of here that `claims` name, each once.
pub(super) fn roles(claims: &Map<String, Value>, settings: &Settings) -> Vec<Role> {
    let named: Vec<&str> = match claim(claims, &settings.role_claim) {
        Some(Value::String(text)) => text.split_whitespace().collect(),
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let known = settings.roles.iter().filter(|(theirs, _)| named.contains(&theirs.as_str()));
    let mut roles: Vec<Role> = known.map(|(_, role)| *role).collect();
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// The claim of this name, or, where there is none, that at this path with dots.
fn claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    rest.split('.').try_fold(claims.get(first)?, |value, part| value.get(part))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::KeySource;

    fn found(claim: &str, roles: &[(&str, Role)], claims: Value) -> Vec<Role> {
        let settings = Settings {
            issuer: "i".into(),
            audiences: vec!["a".into()],
            keys: KeySource::File("k".into()),
            authority: None,
            role_claim: claim.into(),
            roles: roles.iter().map(|(name, role)| ((*name).to_owned(), *role)).collect(),
        };
        let Value::Object(claims) = claims else { panic!("no claims") };
        super::roles(&claims, &settings)
    }

    #[test]
    fn roles_stand_in_a_text_or_a_list_at_a_path() {
        let own = Role::ALL.map(|role| (role.as_str(), role));
        let theirs = [("crew", Role::Writer), ("all hands", Role::Reader), ("captain", Role::Admin)];
        for (claim, roles, claims, expected) in [
            ("roles", &own, json!({"roles": ["writer", "other", 5, "writer"]}), &[Role::Writer][..]),
            ("roles", &own, json!({"roles": "reader  writer"}), &[Role::Reader, Role::Writer]),
            ("a.b.c", &own, json!({"a": {"b": {"c": "admin"}}}), &[Role::Admin]),
            ("https://a.b/roles", &own, json!({"https://a.b/roles": ["reader"]}), &[Role::Reader]),
            ("roles", &theirs, json!({"roles": ["all hands", "captain"]}), &[Role::Reader, Role::Admin]),
            ("roles", &theirs, json!({"roles": ["admin", "reader", "Captain"]}), &[]),
            ("roles", &own, json!({"roles": {"admin": true}}), &[]),
            ("roles", &own, json!({"role": "admin"}), &[]),
            ("a.b", &own, json!({"a": ["admin"]}), &[]),
        ] {
            assert_eq!(found(claim, roles, claims.clone()), expected, "{claim} {claims}");
        }
    }
}
