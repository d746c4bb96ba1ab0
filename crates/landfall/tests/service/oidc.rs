//! Tokens of an OpenID Connect provider: what is signed by it, for this service and of now is taken, and nothing else.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    asked::Answer,
    issuer::{Pages, Signer, encoded, in_seconds, jwks},
    place::Kind,
    served::Served,
    support::Project,
};

const PACKAGE: &str = "resources: [{name: things, path: t.csv, schema: {fields: [{name: a, type: integer}]}}]";
const ISSUER: &str = "https://login.example.com/realms/crew";

/// The claims of a good token, changed as `more` says; null takes a claim away.
fn claims(more: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": "landfall", "sub": "anna", "exp": in_seconds(300), "iat": in_seconds(0), "roles": ["admin"],
    });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// A service that takes tokens of the keys in a file.
struct Guarded {
    served: Served,
    _keys: tempfile::TempDir,
}

impl Guarded {
    fn by(keys: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.json");
        std::fs::write(&file, keys).unwrap();
        let api =
            format!("api: {{oidc: {{issuer: '{ISSUER}', audience: landfall, jwks: '{}'{more}}}}}\n", file.display());
        Self { served: Served::package(Kind::Sqlite, PACKAGE, &api), _keys: folder }
    }

    fn ask(&self, token: &str) -> Answer {
        ask(&self.served, token, "GET", "/v1/tables", b"")
    }
}

fn ask(served: &Served, token: &str, method: &str, path: &str, body: &[u8]) -> Answer {
    let bearer = format!("Bearer {token}");
    served.send(method, path, &[("Authorization", &bearer), ("Content-Type", "application/json")], body)
}

/// Why a token is refused.
#[track_caller]
fn refusal(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.problem().as_str()), (401, "unauthorized"));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    answer.json()["detail"].as_str().unwrap().to_owned()
}

#[test]
fn tokens_of_every_algorithm_are_taken() {
    let signers: Vec<Signer> = ["RS256", "RS512", "PS384", "ES256", "ES384", "EdDSA"]
        .into_iter()
        .map(|algorithm| Signer::new(&format!("key of {algorithm}"), algorithm))
        .collect();
    let guarded = Guarded::by(&jwks(&signers.iter().collect::<Vec<_>>()), "");
    for signer in &signers {
        let token = signer.token(&claims(json!({})));
        assert_eq!(guarded.ask(&token).status, 200, "{}", signer.algorithm);
        // Without a name, each key of the algorithm is tried.
        let nameless = signer.token_with(&json!({"alg": signer.algorithm}), &claims(json!({})));
        assert_eq!(guarded.ask(&nameless).status, 200, "{}", signer.algorithm);
        let (message, signature) = token.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let wrong = format!("{message}.{other}{}", &signature[1..]);
        assert!(refusal(&guarded.ask(&wrong)).contains("its signature is wrong"), "{}", signer.algorithm);
    }
    // The header says what another key would have signed.
    let kid = |signer: &Signer, kid: &str| {
        signer.token_with(&json!({"alg": signer.algorithm, "kid": kid}), &claims(json!({})))
    };
    assert!(refusal(&guarded.ask(&kid(&signers[0], "key of RS512"))).contains("its signature is wrong"));
    assert!(refusal(&guarded.ask(&kid(&signers[3], "key of ES384"))).contains("no such key"));
}

#[test]
fn what_is_not_of_the_provider_for_this_service_and_of_now_is_refused() {
    let (signer, stranger) = (Signer::new("one", "ES256"), Signer::new("one", "ES256"));
    let guarded = Guarded::by(&jwks(&[&signer]), "");
    assert_eq!(guarded.ask(&signer.token(&claims(json!({})))).status, 200);
    for (more, status) in [
        (json!({"aud": ["other", "landfall"]}), 200),
        (json!({"exp": in_seconds(-30), "nbf": in_seconds(30)}), 200),
        (json!({"roles": "reader admin"}), 200),
        (json!({"exp": in_seconds(-90)}), 401),
        (json!({"exp": null}), 401),
        (json!({"exp": "tomorrow"}), 401),
        (json!({"nbf": in_seconds(90)}), 401),
        (json!({"nbf": "today"}), 401),
        (json!({"iss": "https://login.example.com/realms/other"}), 401),
        (json!({"iss": null}), 401),
        (json!({"iss": [ISSUER]}), 401),
        (json!({"iss": [ISSUER, "https://evil.example"]}), 401),
        (json!({"iss": {"a": ISSUER}}), 401),
        (json!({"aud": ["landfall", 5]}), 401),
        (json!({"sub": 5}), 401),
        (json!({"sub": ["anna"]}), 401),
        (json!({"exp": in_seconds(300).to_string()}), 401),
        (json!({"exp": true}), 401),
        (json!({"nbf": [1]}), 401),
        (json!({"iat": "now"}), 401),
        (json!({"aud": "other"}), 401),
        (json!({"aud": []}), 401),
        (json!({"aud": null}), 401),
        (json!({"sub": null}), 401),
        (json!({"sub": ""}), 401),
        (json!({"roles": null}), 403),
        (json!({"roles": ["captain"]}), 403),
        (json!({"roles": {"admin": true}}), 403),
    ] {
        let answer = guarded.ask(&signer.token(&claims(more.clone())));
        assert_eq!(answer.status, status, "{more}: {}", answer.text());
    }
    assert!(refusal(&guarded.ask(&stranger.token(&claims(json!({}))))).contains("its signature is wrong"));
    let crit = json!({"alg": "ES256", "kid": "one", "crit": ["b64"], "b64": false});
    assert!(refusal(&guarded.ask(&signer.token_with(&crit, &claims(json!({}))))).contains("crit"));
    let whole = signer.token(&claims(json!({})));
    let parts: Vec<&str> = whole.split('.').collect();
    for text in [
        "..",
        "a.b.c",
        &format!("{}.{}.", parts[0], parts[1]),
        &format!("{}..{}", parts[0], parts[2]),
        &format!("{whole}.x"),
    ] {
        refusal(&guarded.ask(text));
    }
    refusal(&guarded.served.get("/v1/tables"));
}

/// The two oldest tricks: no signature at all, and the public key taken for a secret.
#[test]
fn only_a_key_of_the_provider_can_sign() {
    let signer = Signer::new("one", "RS256");
    let secret = json!({"kty": "oct", "k": encoded("a secret"), "kid": "two"});
    let keys = json!({"keys": [signer.jwk(), secret]}).to_string();
    let guarded = Guarded::by(&keys, "");
    let claims = claims(json!({}));
    let unsigned = |algorithm: &str| {
        let header = json!({"alg": algorithm, "kid": "one"});
        format!("{}.{}.", encoded(header.to_string()), encoded(claims.to_string()))
    };
    for none in ["none", "None", "NONE", ""] {
        assert!(refusal(&guarded.ask(&unsigned(none))).contains("algorithm is not taken"), "{none}");
    }
    let modulus = signer.jwk()["n"].as_str().unwrap().to_owned();
    for (kid, secret) in [("one", modulus.as_bytes()), ("one", keys.as_bytes()), ("two", b"a secret"), ("two", b"")] {
        let header = json!({"alg": "HS256", "kid": kid});
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        let token = format!("{message}.{}", encoded(ring::hmac::sign(&key, message.as_bytes())));
        assert!(refusal(&guarded.ask(&token)).contains("algorithm is not taken"), "{kid}");
    }
    // A key that the token brings along is nobody's.
    let own = Signer::new("one", "ES256");
    let header = json!({"alg": "ES256", "kid": "one", "jwk": own.jwk()});
    assert!(refusal(&guarded.ask(&own.token_with(&header, &claims))).contains("no such key"));
    assert_eq!(guarded.ask(&signer.token(&claims)).status, 200);
}

#[test]
fn each_role_reaches_what_it_may() {
    let signer = Signer::new("one", "EdDSA");
    let more = ", roleClaim: realm_access.roles, roles: {readers: reader, crew: writer, captain: admin}";
    let guarded = Guarded::by(&jwks(&[&signer]), more);
    let token = |roles: Value| signer.token(&claims(json!({"realm_access": {"roles": roles}})));
    for (roles, reads, writes) in [
        (json!(["readers"]), 200, 403),
        (json!(["crew", "unheard of"]), 403, 201),
        (json!(["crew", "readers"]), 200, 201),
        (json!("captain"), 200, 201),
        (json!(["admin"]), 403, 403),
        (json!([]), 403, 403),
    ] {
        let token = token(roles.clone());
        let read = ask(&guarded.served, &token, "GET", "/v1/tables/things/rows", b"");
        let written = ask(&guarded.served, &token, "POST", "/v1/tables/things/rows", br#"[{"a":1}]"#);
        assert_eq!((read.status, written.status), (reads, writes), "{roles}");
    }
    for path in ["/metrics", "/v1/tables"] {
        assert_eq!(ask(&guarded.served, &token(json!(["other"])), "GET", path, b"").status, 403, "{path}");
    }
    // For programs that cannot send headers, as any other token: for reports, and nowhere else.
    let reader = token(json!(["readers"]));
    assert_eq!(guarded.served.get(&format!("/v1/reports?token={reader}")).status, 200);
    assert_eq!(guarded.served.get(&format!("/v1/tables?token={reader}")).status, 401);
}

#[test]
fn answers_and_limits_are_of_the_subject() {
    let signer = Signer::new("one", "ES256");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.json"), jwks(&[&signer])).unwrap();
    let keys = folder.path().join("keys.json");
    let api = format!(
        "api: {{requestsPerSecond: 5, oidc: {{issuer: '{ISSUER}', audience: [landfall, x], jwks: '{}'}}}}\n",
        keys.display()
    );
    let served = Served::package(Kind::Sqlite, PACKAGE, &api);
    let own = served.make_token(&["--role", "admin"]);
    std::thread::sleep(Duration::from_millis(2100));
    let send = |token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "text/csv"), ("Idempotency-Key", "same")];
        let answer = served.send("POST", "/v1/tables/things/rows", &headers, b"a\n1\n");
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.header("idempotency-replayed").is_some()
    };
    let token = |sub: &str, more: i64| signer.token(&claims(json!({"sub": sub, "exp": in_seconds(more)})));
    assert!(!send(&token("anna", 300)));
    assert!(send(&token("anna", 400)), "another token of the same subject");
    assert!(!send(&token("bert", 300)) && !send(&own), "what others asked for is theirs");
    assert_eq!(served.count("things"), 3);
    let refused =
        (0..12).filter(|more| ask(&served, &token("carl", 300 + more), "GET", "/v1/tables", b"").status == 429);
    assert!((5..=8).contains(&refused.count()), "the tokens of a subject are counted together");
    assert_eq!(ask(&served, &token("dora", 300), "GET", "/v1/tables", b"").status, 200);
}

/// A service with a provider that is found below its issuer's address.
fn discovered(pages: &Pages) -> Served {
    let api = format!("api: {{oidc: {{issuer: '{}', audience: landfall}}}}\n", pages.url);
    Served::package(Kind::Sqlite, PACKAGE, &api)
}

fn tell(pages: &Pages, signers: &[&Signer]) {
    let about = json!({"issuer": pages.url, "jwks_uri": format!("{}/keys", pages.url)});
    pages.tell("/.well-known/openid-configuration", about.to_string());
    pages.tell("/keys", jwks(signers));
}

#[test]
fn new_keys_are_asked_for_once_in_a_while_and_old_ones_are_kept() {
    let pages = Pages::start();
    let signers = ["one", "two", "three"].map(|kid| Signer::new(kid, "ES256"));
    let token = |at: usize| signers[at].token(&claims(json!({"iss": pages.url})));
    let [one, two, three] = [0, 1, 2].map(token);
    tell(&pages, &[&signers[0]]);
    let served = discovered(&pages);
    let status = |token: &str| ask(&served, token, "GET", "/v1/tables", b"").status;
    let keys = || served.get("/readyz").of(200)["checks"]["oidc_keys"].clone();
    assert_eq!((status(&one), pages.asked(), keys()), (200, 2, json!("ok")));
    // Rotated: the new key is found at once, and the old one is gone.
    tell(&pages, &[&signers[1]]);
    assert_eq!((status(&two), status(&one), pages.asked()), (200, 401, 4));
    // Whoever invents names of keys does not make the service ask again and again.
    tell(&pages, &[&signers[1], &signers[2]]);
    assert!((0..50).all(|_| status(&three) == 401) && pages.asked() == 4);
    assert_eq!(status(&two), 200);
}

#[test]
fn who_waits_for_new_keys_holds_up_nobody_else() {
    let pages = Pages::start();
    let (one, two) = (Signer::new("one", "ES256"), Signer::new("two", "ES256"));
    tell(&pages, &[&one]);
    // The address is told: nothing is asked for but the keys.
    let api = format!("api: {{oidc: {{issuer: '{0}', audience: landfall, jwks: '{0}/keys'}}}}\n", pages.url);
    let served = Served::package(Kind::Sqlite, PACKAGE, &api);
    tell(&pages, &[&one, &two]);
    pages.delay(Duration::from_secs(1));
    let token = |signer: &Signer| signer.token(&claims(json!({"iss": pages.url})));
    let timed = |token: &str| {
        let begun = Instant::now();
        assert_eq!(ask(&served, token, "GET", "/v1/tables", b"").status, 200);
        begun.elapsed()
    };
    let (one, two) = (token(&one), token(&two));
    std::thread::scope(|scope| {
        let waiting = [(); 3].map(|()| scope.spawn(|| timed(&two)));
        std::thread::sleep(Duration::from_millis(200));
        assert!(timed(&one) < Duration::from_millis(700));
        assert!(waiting.into_iter().all(|thread| thread.join().unwrap() >= Duration::from_secs(1)));
    });
    assert_eq!(pages.asked(), 2, "what one asked for is told to all who wait");
}

#[test]
fn a_provider_that_fails_leaves_what_is_known() {
    let pages = Pages::start();
    let (one, two) = (Signer::new("one", "ES256"), Signer::new("two", "ES256"));
    tell(&pages, &[&one]);
    let served = discovered(&pages);
    pages.fail();
    let token = |signer: &Signer| signer.token(&claims(json!({"iss": pages.url})));
    assert!(refusal(&ask(&served, &token(&two), "GET", "/v1/tables", b"")).contains("no such key"));
    let ready = served.get("/readyz").of(200);
    assert_eq!((&ready["status"], &ready["checks"]["oidc_keys"]), (&json!("ready"), &json!("stale")));
    assert_eq!(ask(&served, &token(&one), "GET", "/v1/tables", b"").status, 200);
}

#[test]
fn a_provider_that_is_not_there_yet_is_asked_again() {
    let pages = Pages::start();
    let signer = Signer::new("one", "ES256");
    let served = discovered(&pages);
    let ready = served.get("/readyz").of(503);
    assert_eq!(ready["checks"]["oidc_keys"], "unavailable");
    let token = signer.token(&claims(json!({"iss": pages.url})));
    let answer = ask(&served, &token, "GET", "/v1/tables", b"");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    // Of another issuer, which must not pass for this one.
    pages.tell("/.well-known/openid-configuration", json!({"issuer": "x", "jwks_uri": "https://x"}).to_string());
    tell(&pages, &[&signer]);
    for _ in 0..100 {
        if ask(&served, &token, "GET", "/v1/tables", b"").status == 200 {
            assert_eq!(served.get("/readyz").of(200)["checks"]["oidc_keys"], "ok");
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the keys are not found");
}

#[test]
fn who_says_to_be_another_issuer_is_not_believed() {
    let pages = Pages::start();
    let signer = Signer::new("one", "ES256");
    for about in [
        json!({"issuer": "https://other.example.com", "jwks_uri": format!("{}/keys", pages.url)}),
        json!({"issuer": pages.url, "jwks_uri": "http://other.example.com/keys"}),
        json!({"issuer": pages.url}),
    ] {
        tell(&pages, &[&signer]);
        pages.tell("/.well-known/openid-configuration", about.to_string());
        let served = discovered(&pages);
        assert_eq!(served.get("/readyz").of(503)["checks"]["oidc_keys"], "unavailable", "{about}");
        let token = signer.token(&claims(json!({"iss": pages.url})));
        assert_eq!(ask(&served, &token, "GET", "/v1/tables", b"").status, 503, "{about}");
    }
}

#[test]
fn a_service_with_a_provider_is_closed_from_the_start() {
    let guarded = Guarded::by(&jwks(&[&Signer::new("one", "ES256")]), "");
    assert_eq!(guarded.served.get("/v1/tables").status, 401);
    let words = ["serve", "--listen", "0.0.0.0:0"];
    let mut child = guarded.served.project.command(&words).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("listening on http://0.0.0.0:"), "{line}");
}

#[test]
fn mistakes_are_told_with_their_line() {
    let project = Project::empty();
    project.write("datapackage.yaml", PACKAGE);
    project.write("empty.json", r#"{"keys": [{"kty": "oct", "k": "AA"}]}"#);
    for (oidc, words) in [
        ("{audience: a, jwks: k.json}", "needs the property \"issuer\""),
        ("{issuer: i, jwks: k.json}", "needs the property \"audience\""),
        ("{issuer: i, audience: [], jwks: k.json}", "names nobody"),
        ("{issuer: i, audience: a}", "as \"jwks\""),
        ("{issuer: 'http://login.example.com', audience: a}", "https://"),
        ("{issuer: i, audience: a, jwks: 'http://keys.example.com'}", "\"jwks\" cannot be"),
        ("{issuer: i, audience: a, jwks: k.json, roles: {x: wirter}}", "did you mean \"writer\"?"),
        ("{issuer: i, audience: a, jwks: k.json, roleclaim: x}", "roleClaim"),
        ("{issuer: i, audience: a, jwks: k.json, roleClaim: ''}", "must not be empty"),
        ("{issuer: i, audience: a, jwks: k.json}", "cannot read"),
        ("{issuer: i, audience: a, jwks: empty.json}", "none of its keys"),
    ] {
        project.write("landfall.yaml", format!("target: sqlite:a.db\napi:\n  oidc: {oidc}\n"));
        let run = project.run(&["serve", "--listen", "0"]).exits(3);
        assert!(run.stderr.contains(words), "{oidc}: {}", run.stderr);
        assert!(run.stderr.contains("landfall.yaml:3:") || run.stderr.contains("api.oidc: "), "{oidc}: {}", run.stderr);
    }
}
