//! The store's URL, checked before anything connects. No message shows a part of it: a password with a sign that has a
//! meaning in a URL can stand anywhere in it.

use std::{borrow::Cow, path::Path};

use percent_encoding::percent_decode_str;
use url::Url;

use super::value::listed;
use crate::domain::closest;

/// The parameters of a PostgreSQL URL that are used.
const PARAMETERS: [&str; 12] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
];
const MODES: [&str; 5] = ["disable", "prefer", "require", "verify-ca", "verify-full"];

/// Parameters that other programs know, and what to use here.
const INSTEAD: [(&str, &str); 22] = [
    ("target_session_attrs", ONE_HOST),
    ("load_balance_hosts", ONE_HOST),
    ("hostaddr", "give the address as the host"),
    ("connect_timeout", "set store.connect_timeout"),
    ("statement_timeout", "set store.statement_timeout"),
    ("lock_timeout", "set store.lock_timeout"),
    ("max_connections", "set store.readers and store.lanes"),
    ("pool_size", "set store.readers and store.lanes"),
    ("ssl", "set sslmode"),
    ("ssl-mode", "it is called sslmode here"),
    ("requiressl", "set sslmode=require"),
    ("ssl-ca", "it is called sslrootcert here"),
    ("ssl-cert", "it is called sslcert here"),
    ("ssl-key", "it is called sslkey here"),
    ("sslpassword", "give sslkey a key without a passphrase"),
    ("channel_binding", "leave it out, and set sslmode=verify-full"),
    ("gssencmode", "leave it out: GSSAPI is not supported"),
    ("search_path", "write options=-csearch_path%3DNAME"),
    ("currentSchema", "write options=-csearch_path%3DNAME"),
    ("schema", "write options=-csearch_path%3DNAME"),
    ("passfile", "set the environment variable PGPASSFILE"),
    ("keepalives", "leave it out: a silent connection is given up after store.statement_timeout"),
];
const ONE_HOST: &str = "give one host that leads to the primary, such as a virtual address, a proxy or a DNS name that \
                        follows it";

/// Checks a store's URL. The error completes the clause "FIELD …" and shows nothing of the URL.
pub fn check_store_url(url: &str) -> Result<(), String> {
    match url.split_once("://") {
        Some(("sqlite", path)) if !path.is_empty() => sqlite(path),
        Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => {
            postgres(rest)?;
            readable(url)
        }
        _ => Err("must be sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE".into()),
    }
}

fn sqlite(path: &str) -> Result<(), String> {
    if path.contains(":memory:") || path.contains("mode=memory") {
        return Err("must name a file: a database in memory would lose what it acknowledged".into());
    }
    let first = path.split_once('/').map_or("", |(first, _)| first);
    if first.contains('@') {
        return Err("must be sqlite://PATH: a file has no user, password or host".into());
    }
    if path.contains('?') {
        return Err("must be sqlite://PATH with no parameters".into());
    }
    if path.ends_with('/') || Path::new(path).file_name().is_none() {
        return Err("must be sqlite://PATH, and the path must end in the name of a file".into());
    }
    Ok(())
}

/// Whether its parts can be read, as the library does that connects.
fn readable(url: &str) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|_| {
        "is no URL: percent-encode each special character of the user and the password".to_owned()
    })?;
    let decoded = |part: &str| percent_decode_str(part).decode_utf8().map(Cow::into_owned);
    let parts =
        [parsed.username(), parsed.password().unwrap_or(""), parsed.host_str().unwrap_or(""), parsed.path()];
    if parts.into_iter().any(|part| decoded(part).is_err()) {
        return Err("has percent-encoded bytes that are not UTF-8".into());
    }
    if decoded(parsed.username()).is_ok_and(|user| user.contains(':')) {
        return Err("has %3A in its user: write USER:PASSWORD@, with %3A in the password alone".into());
    }
    Ok(())
}

fn postgres(rest: &str) -> Result<(), String> {
    let encode = |sign: &str| format!("has an unencoded {sign}: in a password write {}", encoded(sign));
    if rest.contains('#') {
        return Err(encode("#"));
    }
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("contains white space: in a password write %20".into());
    }
    // What comes before the host ends at the first of these, so it is a password's where an `@` comes behind it. (One
    // in a parameter's value is allowed.)
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    let (path, query) = behind.split_once('?').unwrap_or((behind, ""));
    let port = |hosts: &str| {
        hosts.rsplit_once(':').filter(|_| !hosts.ends_with(']')).map(|(_, port)| port.parse::<u16>())
    };
    let no_port = |hosts: &str| port(hosts).is_some_and(|port| port.is_err());
    if !authority.contains('@') && (path.contains('@') || no_port(authority) && query.contains('@')) {
        return Err(encode(&behind[..1]));
    }
    if path.contains('@') || authority.matches('@').count() > 1 {
        return Err(encode("@"));
    }
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    if hosts.contains(',') {
        return Err(format!("names several hosts: {ONE_HOST}"));
    }
    if no_port(hosts) {
        return Err("has no port behind the host's colon; is an @ missing before the host?".into());
    }
    let mut parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    let mode = query.split('&').find_map(|parameter| parameter.strip_prefix("sslmode="));
    parameters.try_for_each(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        parameter_of(name, value, mode)
    })
}

fn parameter_of(name: &str, value: &str, mode: Option<&str>) -> Result<(), String> {
    if let Some((name, instead)) = INSTEAD.iter().find(|(known, _)| *known == name) {
        return Err(format!("has the parameter {name}, which is not supported: {instead}"));
    }
    match name {
        _ if !PARAMETERS.contains(&name) => {
            let close = closest(name, PARAMETERS).map(|close| format!("did you mean {close}? "));
            Err(format!(
                "has an unknown parameter; {}known: {} (in a password, write ? as %3F and & as %26)",
                close.unwrap_or_default(),
                listed(PARAMETERS)
            ))
        }
        "sslmode" if !MODES.contains(&value) => Err(format!("must have an sslmode of {}", listed(MODES))),
        "sslrootcert" if value == "system" && mode.is_some_and(|mode| mode != "verify-full") => {
            Err("must have sslmode=verify-full beside sslrootcert=system".into())
        }
        "host" if value.contains(',') => Err(format!("names several hosts: {ONE_HOST}")),
        "port" if value.parse::<u16>().is_err() => Err("must have a number as its port".into()),
        "statement-cache-capacity" if value.parse::<u32>().is_err() => {
            Err("must have a number as its statement-cache-capacity".into())
        }
        _ => Ok(()),
    }
}

fn encoded(sign: &str) -> &'static str {
    match sign {
        "#" => "%23",
        "/" => "%2F",
        "?" => "%3F",
        _ => "%40",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgresql_takes_is_taken() {
        for url in [
            "sqlite:///var/lib/a@b.db",
            "sqlite://a@b.db",
            "sqlite://data/bellboard.db",
            "postgres://u:correct%2Dhorse%3Fbattery@h/db",
            "postgres://u:pa$s,w;o!rd*@h:5432/db?sslmode=require&application_name=a@b",
            "postgresql:///db?host=/run/postgresql&user=u&password=a@b:c",
            "postgres://u@[::1]:5432/db",
            "postgres://u@[::1]/db?sslrootcert=system",
            "postgres://h?sslrootcert=system&sslmode=verify-full",
            "postgres://h:5432/db?password=a@b",
        ] {
            assert_eq!(check_store_url(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn a_password_that_is_not_encoded_is_found_and_never_shown() {
        for (url, told) in [
            ("postgres://u:correct-horse?battery@h/db", "%3F"),
            ("postgres://u:correct/horsebattery@h/db", "%2F"),
            ("postgres://u:correct#horsebattery@h/db", "%23"),
            ("postgres://u:correct@horsebattery@h/db", "%40"),
            ("postgres://u:1234?horsebattery@h/db", "%3F"),
            ("postgres://u:1234/horsebattery@h/db", "%2F"),
            ("postgres://u:correct horsebattery@h/db", "%20"),
            ("postgres://u@h/db?horsebattery=1", "unknown parameter"),
            ("postgres://u:correct-horsebattery/db", "is an @ missing"),
            ("postgres://u@h/db?sslmode=horsebattery", "disable, prefer"),
            ("postgres://u@h/db?port=horsebattery", "a number"),
            ("postgres://u%3Ahorsebattery@h/db", "%3A in its user"),
            ("postgres://u:horse%ffbattery@h/db", "not UTF-8"),
            ("postgres://u:p@horse battery/db", "%20"),
            ("postgres://u@[horse]/db", "is no URL"),
            ("postgres://u@h/db?statement-cache-capacity=horse", "a number"),
            ("mysql://u:horsebattery@h/db", "must be sqlite"),
            ("sqlite://u:horsebattery@h/db", "has no user"),
            ("sqlite://x.db?password=horsebattery", "no parameters"),
            ("sqlite://horse/", "name of a file"),
            ("sqlite://horse/..", "name of a file"),
            ("sqlite://:memory:", "a database in memory"),
        ] {
            let fault = check_store_url(url).expect_err(url);
            assert!(
                fault.contains(told) && !fault.contains("horse") && !fault.contains("battery"),
                "{fault}"
            );
        }
    }

    #[test]
    fn what_is_not_supported_says_what_to_use() {
        for (url, told) in [
            ("postgres://u:p@h1,h2/db", "several hosts"),
            ("postgres://u:p@h1:5432,h2:5432/db?target_session_attrs=read-write", "several hosts"),
            ("postgres:///db?host=h1,h2", "several hosts"),
            ("postgres://h/db?target_session_attrs=read-write", "leads to the primary"),
            ("postgres://h/db?connect_timeout=5", "store.connect_timeout"),
            ("postgres://h/db?sslmod=require", "did you mean sslmode?"),
            ("postgres://h/db?sslrootcert=system&sslmode=require", "sslmode=verify-full"),
        ] {
            let fault = check_store_url(url).expect_err(url);
            assert!(fault.contains(told), "{fault}");
        }
    }
}
