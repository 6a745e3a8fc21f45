//! What the texts of single fields mean. Errors complete the clause "FIELD …" and never repeat the text.

use std::{fmt, net::IpAddr, ops::RangeInclusive, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use ipnet::IpNet;
use sha2::{Digest, Sha256};

use crate::domain::Timestamp;

/// The fewest characters of an API key in plain.
pub(super) const SHORTEST_KEY: usize = 32;
const LONGEST_KEY: usize = 512;
/// The longest pattern; a longer one is slow to compile.
const LONGEST_GLOB: usize = 256;
const UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// A duration of one number and one unit: `500ms`, `30s`, `15m`, `12h`, `90d`, `2w`.
pub(super) fn duration(text: &str, range: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = text[..digits].parse::<u64>().ok();
    let unit = UNITS.iter().find(|(name, _)| *name == &text[digits..]);
    let duration = match (number, unit) {
        (Some(number), Some((_, ms))) => number.checked_mul(*ms).map(Duration::from_millis),
        _ => None,
    };
    match duration {
        None => Err("must be a number and a unit, such as 500ms, 30s, 15m, 12h, 90d or 2w".into()),
        Some(duration) if range.contains(&duration) => Ok(duration),
        Some(_) => Err(format!("must be from {} to {}", written(*range.start()), written(*range.end()))),
    }
}

/// A duration in the largest unit that divides it.
fn written(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let largest = UNITS.iter().take(5).rev().find(|(_, unit)| ms >= *unit && ms % unit == 0);
    largest.map_or_else(|| format!("{ms}ms"), |(name, unit)| format!("{}{name}", ms / unit))
}

/// A network such as `10.0.0.0/8`, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .map(|net| net.trunc())
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "must be a network such as 10.0.0.0/8 or an address".into())
}

/// The name of a host, in lower case and without the dot that may end it.
pub(super) fn host(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if name.is_empty() || name.len() > 253 || !name.bytes().all(fits) {
        return Err("must be the name of a host with no port, such as bellboard.internal".into());
    }
    Ok(name.to_ascii_lowercase())
}

/// A pattern over names, such as `billing_*`.
pub(super) fn glob(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > LONGEST_GLOB || globset::Glob::new(text).is_err() {
        return Err("must be a name or a pattern such as billing_*".into());
    }
    Ok(text.into())
}

/// A point in time as RFC 3339 writes it.
pub(super) fn timestamp(text: &str) -> Result<Timestamp, String> {
    text.parse::<jiff::Timestamp>()
        .map(|time| Timestamp(time.as_microsecond()))
        .map_err(|_| "must be a time with its offset, such as 2027-01-31T00:00:00Z".into())
}

/// Text for people: 1 to `most` characters, none of them a control character.
pub(super) fn words(most: usize) -> impl Fn(&str) -> Result<String, String> {
    move |text| {
        if text.trim().is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
            return Err(format!("must be 1 to {most} characters on one line"));
        }
        Ok(text.into())
    }
}

/// One of a few words.
pub(super) fn one_of<T: Copy>(choices: &'static [(&'static str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| match choices.iter().find(|(name, _)| *name == text) {
        Some((_, value)) => Ok(*value),
        None => Err(format!("must be one of {}", listed(choices.iter().map(|(name, _)| *name)))),
    }
}

/// Names with commas between.
pub(super) fn listed(names: impl IntoIterator<Item: fmt::Display>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

/// The hash of an API key that is given in plain or as `sha256:` and 64 hexadecimal digits.
pub(super) fn key_hash(text: &str) -> Result<[u8; 32], String> {
    if let Some(hex) = text.strip_prefix("sha256:") {
        return from_hex(hex).ok_or_else(|| "must have 64 hexadecimal digits after sha256:".into());
    }
    if placeholder(text).is_some() {
        return Err(
            "is a placeholder that nothing fills in here: write the key or its sha256: hash, and keep the \
                    file that holds it out of version control"
                .into(),
        );
    }
    let length = text.chars().count();
    if length < SHORTEST_KEY {
        return Err(format!("is an API key of {length} characters; it must have at least {SHORTEST_KEY}"));
    }
    if length > LONGEST_KEY || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!(
            "is no API key: at most {LONGEST_KEY} characters, letters, digits and signs of ASCII with no spaces"
        ));
    }
    Ok(Sha256::digest(text).into())
}

/// Why text is no secret, if another program was to put the secret in its place (`${NAME}`, `$NAME`, `{{ name }}`,
/// `<name>`) or to decrypt it (Ansible Vault, SOPS).
pub(super) fn placeholder(text: &str) -> Option<String> {
    let contains =
        |(open, close): &(&str, &str)| text.split_once(open).is_some_and(|(_, rest)| rest.contains(close));
    let what = if let Some((open, close)) = [("${", "}"), ("{{", "}}")].into_iter().find(contains) {
        format!("contains {open}…{close}, which nothing fills in here")
    } else if text.strip_prefix('$').is_some_and(is_variable) {
        "is $ and the name of a variable, which nothing fills in here".into()
    } else if text.starts_with('<') && text.ends_with('>') {
        "is <…>, which stands for a secret".into()
    } else if text.starts_with("$ANSIBLE_VAULT;") || text.starts_with("ENC[") && text.ends_with(']') {
        "is encrypted, and nothing decrypts it here".into()
    } else {
        return None;
    };
    Some(format!(
        "{what}: name an environment variable by a field such as secret_env, or a file by one such as secret_file"
    ))
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// The fingerprint of an API key.
pub(super) fn fingerprint(text: &str) -> Result<String, String> {
    if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("must be the 12 hexadecimal digits that name a key".into());
    }
    Ok(text.to_ascii_lowercase())
}

fn from_hex(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Whether text is one public key in PEM; what is inside is checked by who uses it.
pub(super) fn public_key(text: &str) -> Result<(), String> {
    const SHAPE: &str =
        "must be a public key in PEM: -----BEGIN PUBLIC KEY-----, base64, -----END PUBLIC KEY-----";
    if text.contains("PRIVATE KEY") {
        return Err(
            "is a private key; give its public key, and keep the private one where tokens are signed".into(),
        );
    }
    let inner = ["PUBLIC KEY", "RSA PUBLIC KEY"].iter().find_map(|label| {
        let start = text.trim().strip_prefix(&format!("-----BEGIN {label}-----"))?;
        start.strip_suffix(&format!("-----END {label}-----"))
    });
    let base64: String = inner.ok_or(SHAPE)?.split_whitespace().collect();
    match STANDARD.decode(base64) {
        Ok(der) if !der.is_empty() => Ok(()),
        _ => Err(SHAPE.into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let range = Duration::from_secs(1)..=Duration::from_secs(7_200);
        assert_eq!(duration("90s", &range), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h", &range), Ok(Duration::from_secs(7_200)));
        assert_eq!(duration("3h", &range), Err("must be from 1s to 2h".into()));
        for wrong in
            ["", "5", "s", "-5s", "1.5s", "5 s", "99999999999999999999d", "18446744073709551615w", "5é"]
        {
            assert!(duration(wrong, &range).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_in_plain_and_hashed_are_the_same() {
        let plain = "ab+/cdefghijklmnopqrstuvwxyz012==";
        let hex: String = key_hash(plain).unwrap().iter().map(|b| format!("{b:02X}")).collect();
        assert_eq!(key_hash(&format!("sha256:{hex}")), key_hash(plain));
        assert!(key_hash(&plain[..31]).unwrap_err().contains("31 characters"));
        for wrong in ["sha256:12", &"k".repeat(600), "with a space in it, which no header carries"] {
            assert!(key_hash(wrong).is_err());
        }
    }

    #[test]
    fn networks_times_and_keys() {
        assert_eq!(network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(network("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
        assert!(network("localhost").is_err());
        assert_eq!(timestamp("1970-01-01T01:00:01+01:00"), Ok(Timestamp(1_000_000)));
        assert!(timestamp("2027-01-31").is_err());
        assert!(public_key("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n").is_ok());
        assert!(public_key("-----BEGIN PUBLIC KEY-----\nMI!B\n-----END PUBLIC KEY-----\n").is_err());
        assert!(public_key("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n").is_err());
        assert!(public_key("none").is_err());
    }
}
