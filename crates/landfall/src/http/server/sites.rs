//! Pages of other sites. While the service asks for no token, a browser on this machine would carry the requests of any page to it,
//! so that the page could do everything. What a browser says of where a request comes from is held against this machine's names.

use axum::http::{HeaderMap, HeaderName, header};

use crate::http::problem::{Outcome, Problem, ProblemKind};

/// Where a browser says how the page that asks and the service are related (W3C Fetch Metadata).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request that comes under another name than this machine's (also where a foreign name was made to lead here), or from
/// a page of another site. It holds for reading too: a report is work, and tells of the data.
pub(in crate::http) fn refuse_other_sites(headers: &HeaderMap) -> Outcome<()> {
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    let comes_from_here = request_origins(headers).all(|origin| is_own_origin(origin, host.unwrap_or_default()));
    // `same-site` is not enough: another port of localhost is the same site.
    let related = |value: &str| matches!(value.trim(), "same-origin" | "none");
    // The name is checked too: a page may have its own name resolve to 127.0.0.1 (DNS rebinding).
    if host.is_none_or(is_loopback_host) && comes_from_here && header_values(headers, &FETCH_SITE).all(related) {
        return Ok(());
    }
    Err(Problem::new(
        ProblemKind::FORBIDDEN,
        "without a token, the service answers only to localhost, and to no page of another site; make one with `landfall \
         token create`",
    ))
}

/// The values of all headers called `name`. What is no text is a value that fits nothing.
fn header_values<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?"))
}

/// The origins that a request names: a redirect may have added some to those of the first page.
fn request_origins(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    header_values(headers, &header::ORIGIN)
        .flat_map(|value| value.split([' ', ',']).filter(|origin| !origin.is_empty()))
}

/// Whether `origin` is the service's own, which was asked for as `host`.
fn is_own_origin(origin: &str, host: &str) -> bool {
    let bare = origin.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"));
    bare.is_some_and(|(_, name)| !name.is_empty() && name.eq_ignore_ascii_case(host))
}

/// Whether `host` is a name of this machine, with or without a port.
fn is_loopback_host(host: &str) -> bool {
    // The last colon of `[::1]` is no port: the bracket after it stays with the name.
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    name == "localhost" || name == "[::1]" || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn is_let_in(headers: &[(&'static str, &'static str)]) -> bool {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers.iter().map(pair) {
            map.append(name, value);
        }
        refuse_other_sites(&map).is_ok()
    }

    #[test]
    fn names_of_this_machine_are_let_in_and_others_are_not() {
        for host in ["localhost", "LocalHost:8080", "localhost.", "127.0.0.1", "127.0.0.1:80", "127.3.2.1", "[::1]:8"] {
            assert!(is_let_in(&[("host", host)]), "{host}");
        }
        // A foreign name that resolves to 127.0.0.1, and names that only look like this machine's.
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "128.0.0.1", "0.0.0.0", "[::]", "x", ""]
        {
            assert!(!is_let_in(&[("host", host)]), "{host}");
        }
    }

    /// A page of another site could send requests, where a browser told of it by other means than one Origin.
    #[test]
    fn pages_of_other_sites_are_refused_by_whatever_tells_of_them() {
        let host = ("host", "localhost:8080");
        for own in [&[][..], &[("origin", "http://localhost:8080")], &[("sec-fetch-site", "same-origin")]] {
            assert!(is_let_in(&[&[host], own].concat()), "{own:?}");
        }
        assert!(is_let_in(&[host, ("sec-fetch-site", "none"), ("origin", "http://localhost:8080")]));
        let own = ("origin", "http://localhost:8080");
        for foreign in [
            &[("origin", "null")][..],
            &[("origin", "http://evil.example")],
            &[("origin", "http://localhost:3000")],
            &[("origin", "ftp://localhost:8080")],
            &[own, ("origin", "http://evil.example")],
            &[("origin", "http://localhost:8080 http://evil.example")],
            &[("origin", "http://localhost:8080, http://evil.example")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "anything")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[own, ("sec-fetch-site", "cross-site")],
        ] {
            assert!(!is_let_in(&[&[host], foreign].concat()), "{foreign:?}");
        }
    }
}
