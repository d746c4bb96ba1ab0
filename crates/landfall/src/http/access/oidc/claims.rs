//! The roles that the claims of a token name.

use landfall_engine::token::Role;
use serde_json::{Map, Value};

use crate::config::OidcConfig as Settings;

/// Holds the registered claims against their types (RFC 7519, 4.1); the name of one that has another. The library that verifies
/// tokens takes a list of issuers where one of them fits, and more: a token that names two issuers is of neither.
pub(super) fn check_types(claims: &Map<String, Value>) -> Result<(), &'static str> {
    let is_sound = |name: &str, value: &Value| match name {
        "aud" => value.is_string() || value.as_array().is_some_and(|all| is_list_of_texts(all)),
        "exp" | "nbf" | "iat" => is_numeric_date(value),
        _ => value.is_string(),
    };
    let wrong = |name: &&str| claims.get(*name).is_some_and(|value| !is_sound(name, value));
    ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"].into_iter().find(wrong).map_or(Ok(()), Err)
}

fn is_list_of_texts(values: &[Value]) -> bool {
    !values.is_empty() && values.iter().all(Value::is_string)
}

/// Whether a value is a number of seconds. One far away, or before 1970, is none that a provider gives.
fn is_numeric_date(value: &Value) -> bool {
    value.as_f64().is_some_and(|seconds| (0.0..1e12).contains(&seconds))
}

/// The roles of here that `claims` name, each once.
pub(super) fn claimed_roles(claims: &Map<String, Value>, settings: &Settings) -> Vec<Role> {
    let named: Vec<&str> = match find_claim(claims, &settings.role_claim) {
        // Some providers give one text with blanks between, as OAuth does for scopes.
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
fn find_claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    // First as a whole: Auth0 has claims that are named by a URL, with dots in it.
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    // Keycloak has its roles at `realm_access.roles`.
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
        super::claimed_roles(&claims, &settings)
    }

    /// A token with a list of issuers was taken where ours was among them.
    #[test]
    fn registered_claims_have_the_types_of_the_standard() {
        let sound = json!({"iss": "i", "sub": "s", "aud": "a", "exp": 5, "nbf": 1.5, "iat": 0, "jti": "j"});
        let Value::Object(sound) = sound else { panic!("no claims") };
        assert_eq!(check_types(&sound), Ok(()));
        assert_eq!(check_types(&Map::new()), Ok(()));
        for (claim, value) in [
            ("iss", json!(["i"])),
            ("iss", json!(["i", "other"])),
            ("iss", json!({"i": "i"})),
            ("iss", json!(null)),
            ("sub", json!(5)),
            ("sub", json!(["s"])),
            ("aud", json!([])),
            ("aud", json!(["a", 5])),
            ("aud", json!({"a": true})),
            ("exp", json!("5")),
            ("exp", json!(true)),
            ("exp", json!(1e300)),
            ("nbf", json!([1])),
            ("nbf", json!(null)),
            ("iat", json!("yesterday")),
            ("iat", json!(-5)),
            ("jti", json!(7)),
        ] {
            let mut claims = sound.clone();
            claims.insert(claim.into(), value.clone());
            assert_eq!(check_types(&claims), Err(claim), "{value}");
        }
        let mut list = sound;
        list.insert("aud".into(), json!(["a", "b"]));
        assert_eq!(check_types(&list), Ok(()));
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
