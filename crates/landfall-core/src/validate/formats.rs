//! The lexical rules of the `string` formats.

/// Whether `text` is a UUID: 8-4-4-4-12 hexadecimal digits of any case.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether `text` is base64 with padding (RFC 4648, section 4).
pub(super) fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    text.len().is_multiple_of(4) && padding <= 2 && digits.bytes().all(alphabet)
}

/// Whether `text` is an e-mail address: `local@domain`, with a dot-atom before the sign (RFC 5322, letters of any script as
/// in RFC 6531) and a domain name of at least two labels after it.
pub(super) fn is_email(text: &str) -> bool {
    // From the right: an `@` in the local part would need quotes, which a dot-atom does not have.
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    // 64 bytes is the limit of SMTP (RFC 5321, 4.5.3.1.1).
    local.len() <= 64 && local.split('.').all(is_atom) && is_domain(domain)
}

fn is_atom(atom: &str) -> bool {
    // Combining marks are no letters, and names in some scripts cannot be written without them.
    let allowed = |c: char| c.is_alphanumeric() || (!c.is_ascii() && !c.is_whitespace() && !c.is_control());
    !atom.is_empty() && atom.chars().all(|c| allowed(c) || "!#$%&'*+-/=?^_`{|}~".contains(c))
}

fn is_domain(domain: &str) -> bool {
    let Some((_, top)) = domain.rsplit_once('.') else { return false };
    // A top label of digits would make an IPv4 address pass as a domain name.
    let top_is_sound = top.chars().count() >= 2 && !top.bytes().all(|byte| byte.is_ascii_digit());
    // 253 is what remains of the 255 bytes in DNS without the length bytes at both ends (RFC 1035).
    domain.len() <= 253 && top_is_sound && domain.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || c == '-';
    !label.is_empty()
        && label.len() <= 63
        && label.chars().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Whether `text` is a URI with a scheme (RFC 3986, appendix A, with the authority checked for its brackets and port).
pub(super) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    // The fragment comes off first: a `?` behind the `#` belongs to it and opens no query.
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (hierarchy, query) = rest.split_once('?').unwrap_or((rest, ""));
    is_scheme(scheme)
        && is_made_of(fragment, "/?:@")
        && is_made_of(query, "/?:@")
        && match hierarchy.strip_prefix("//") {
            None => is_made_of(hierarchy, "/:@"),
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                is_authority(authority) && is_made_of(path, "/:@")
            }
        }
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_authority(authority: &str) -> bool {
    // From the right, as browsers do it: of two signs only the last one ends the user's part.
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host_is_sound, port) = if let Some(literal) = host.strip_prefix('[') {
        match literal.split_once(']') {
            Some((address, port)) => (is_address(address), port),
            None => return false,
        }
    } else {
        let at = host.find(':').unwrap_or(host.len());
        (is_made_of(&host[..at], ""), &host[at..])
    };
    // RFC 3986 allows an empty port behind the colon.
    let port_is_sound =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    is_made_of(user, ":") && host_is_sound && port_is_sound
}

/// An IPv6 address, or a later one (`v1.x`).
fn is_address(address: &str) -> bool {
    match address.strip_prefix(['v', 'V']) {
        Some(later) => later.contains('.') && is_made_of(later, ":"),
        None => address.parse::<std::net::Ipv6Addr>().is_ok(),
    }
}

/// Whether `part` has only unreserved characters, sub-delimiters, percent-encoded bytes and `more`.
fn is_made_of(part: &str, more: &str) -> bool {
    let bytes = part.as_bytes();
    bytes.iter().enumerate().all(|(at, &byte)| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte) || more.as_bytes().contains(&byte),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        good.iter().for_each(|text| assert!(rule(text), "{text}"));
        bad.iter().for_each(|text| assert!(!rule(text), "{text}"));
    }

    #[test]
    fn uuids() {
        let good = ["2EB8AA08-AA98-11EA-B4AA-73B441D16380", "00000000-0000-0000-0000-000000000000"];
        let bad = ["2eb8aa08aa9811eab4aa73b441d16380", "{2eb8aa08-aa98-11ea-b4aa-73b441d16380}", ""];
        check(is_uuid, &good, &bad);
    }

    #[test]
    fn base64_texts() {
        check(
            is_base64,
            &["", "YQ==", "YWI=", "YWJj", "+/+/"],
            &["YQ", "YQ=", "!!!!", "YW Jj", "a", "====", "_-==", "YQ==x"],
        );
    }

    #[test]
    fn emails() {
        let good = ["a@b.co", "a+b@c.co.uk", "ä@b.de", "a@bü.de", "o'neil@example.org"];
        let bad =
            ["a@b", "a@b.c", "a b@c.de", "a@localhost", "a..b@c.de", ".a@c.de", "a@-b.de", "@b.de", "a@", "a@1.2.3.44"];
        check(is_email, &good, &bad);
    }

    #[test]
    fn uris() {
        let good = [
            "http://a.b",
            "a:b",
            "a:",
            "mailto:x@y.z",
            "http://[::1]:80/x?y=/?#z",
            "urn:isbn:1",
            "http://u:p@h:8080/a%20b",
        ];
        let bad = [
            "//a.b",
            "a",
            "http://a b",
            "http://a.b/%zz",
            "ü:b",
            ":a",
            "1a:b",
            "http://[::1",
            "http://a.b:port",
            "http://a/<>",
        ];
        check(is_uri, &good, &bad);
    }
}
