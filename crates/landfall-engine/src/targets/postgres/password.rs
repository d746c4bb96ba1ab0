//! The password in libpq's own file, `~/.pgpass`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::super::url::UrlSecret;

/// What a line of a password file must match.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoginKey<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The password for `login` in the file that libpq would read: `passfile`, else `PGPASSFILE`, else `~/.pgpass`.
pub(super) fn from_passfile(passfile: Option<&Path>, login: LoginKey<'_>) -> Option<UrlSecret> {
    let path = match passfile {
        Some(path) => path.to_owned(),
        None => env::var_os("PGPASSFILE").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".pgpass")))?,
    };
    if is_open_to_others(&path) {
        tracing::warn!(
            path = %path.display(),
            "the password file is passed over, since others may read it: chmod 0600 {}",
            path.display()
        );
        return None;
    }
    fs::read_to_string(path).ok()?.lines().find_map(|line| match_password_line(line, login))
}

/// Whether somebody but the owner may read the file at `path`.
#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_path: &Path) -> bool {
    false
}

/// The password of `line`, `host:port:database:user:password`, where it is for `login`. A field `*` matches anything;
/// `\:` and `\\` are a colon and a backslash.
fn match_password_line(line: &str, login: LoginKey<'_>) -> Option<UrlSecret> {
    if line.starts_with('#') {
        return None;
    }
    let (fields, password) = split_password_line(line)?;
    let port = login.port.to_string();
    // A socket in the file system is `localhost` for libpq where its folder is the usual one.
    let host_matches =
        matches_field(&fields[0], login.host) || (login.host.starts_with('/') && fields[0] == "localhost");
    let rest = [&port, login.database, login.user];
    let all = host_matches && fields[1..].iter().zip(rest).all(|(field, wanted)| matches_field(field, wanted));
    all.then_some(UrlSecret(password))
}

fn matches_field(field: &str, wanted: &str) -> bool {
    field == "*" || field == wanted
}

/// The four fields of a line and its password, without their backslashes. The password ends at the line's end, or at the
/// next colon, as libpq has it.
fn split_password_line(line: &str) -> Option<([String; 4], String)> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            ':' => fields.push(String::new()),
            '\\' => fields.last_mut()?.extend(chars.next()),
            other => fields.last_mut()?.push(other),
        }
    }
    let mut fields = fields.into_iter();
    let mut next = || fields.next();
    let four = [next()?, next()?, next()?, next()?];
    Some((four, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: LoginKey<'_> = LoginKey { host: "db", port: 5432, database: "staff", user: "ann" };

    fn of(line: &str) -> Option<String> {
        match_password_line(line, LOGIN).map(|UrlSecret(password)| password)
    }

    #[test]
    fn lines_match_by_all_four_fields() {
        assert_eq!(of("db:5432:staff:ann:pw").as_deref(), Some("pw"));
        assert_eq!(of("*:*:*:*:pw").as_deref(), Some("pw"));
        assert_eq!(of("db:*:staff:*:p w ").as_deref(), Some("p w "));
        for other in ["DB:5432:staff:ann:pw", "db:5433:staff:ann:pw", "db:5432:x:ann:pw", "db:5432:staff:bob:pw"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn comments_and_short_lines_are_nothing() {
        for line in ["", "#*:*:*:*:pw", "*:*:*:*", "pw"] {
            assert_eq!(of(line), None, "{line}");
        }
    }

    #[test]
    fn backslashes_keep_colons_and_backslashes() {
        assert_eq!(of(r"*:*:*:*:a\:b\\c").as_deref(), Some(r"a:b\c"));
        let login = LoginKey { user: "a:b", ..LOGIN };
        assert_eq!(match_password_line(r"*:*:*:a\:b:pw", login), Some(UrlSecret("pw".into())));
        assert_eq!(
            match_password_line(r"*:*:*:\*:pw", LOGIN).map(|_| ()),
            Some(()),
            "libpq too takes the star after unescaping"
        );
    }

    #[test]
    fn sockets_are_localhost_or_their_folder() {
        let login = LoginKey { host: "/run/postgresql", ..LOGIN };
        assert!(match_password_line("localhost:*:*:*:pw", login).is_some());
        assert!(match_password_line("/run/postgresql:*:*:*:pw", login).is_some());
        assert!(match_password_line("db:*:*:*:pw", login).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_passfile_that_others_may_read_is_passed_over() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pgpass");
        fs::write(&path, "# mine\n*:1:*:*:no\n*:*:*:*:first\n*:*:*:*:second\n").expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("permissions");
        assert_eq!(from_passfile(Some(&path), LOGIN), None);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
        assert_eq!(from_passfile(Some(&path), LOGIN), Some(UrlSecret("first".into())));
    }
}
