//! Who signs a tenant's bearer tokens, with what key, and how the claims read.

use std::time::Duration;

use super::{
    Algorithm, Issuer, Secret,
    decode::Decoder,
    development,
    field::{Field, Section},
    jwks,
    roles::Roles,
    secret, value,
};

const FIELDS: &[&str] = &[
    "issuer",
    "audience",
    "audience_claim",
    "algorithm",
    "secret",
    "secret_env",
    "secret_file",
    "public_key",
    "public_key_env",
    "public_key_file",
    jwks::FIELDS[0],
    jwks::FIELDS[1],
    jwks::FIELDS[2],
    jwks::FIELDS[3],
    jwks::FIELDS[4],
    "leeway",
    "user_claims",
    "roles_claim",
    "roles",
];
/// As many bytes as HMAC with SHA-256 gives; a shorter secret can be guessed from one token.
const SHORTEST_SECRET: usize = 32;

/// Reads one issuer of a tenant's list.
pub(super) fn decode(decoder: &Decoder<'_>, field: &Field<'_>, roles: &Roles) -> Option<Issuer> {
    let s = &field.section(FIELDS)?;
    let algorithm = s.required("algorithm").and_then(|field| field.read(value::one_of(Algorithm::ALL)));
    let secret = secret::one_of(decoder, s, ["secret", "secret_env", "secret_file"]);
    let public = secret::one_of(decoder, s, ["public_key", "public_key_env", "public_key_file"]);
    let jwks = jwks::decode(s);
    let published = s.get(jwks::FIELDS[0]);
    let key = match algorithm {
        Some(algorithm) if published.is_some() => only_published(algorithm, published, [secret, public]),
        Some(Algorithm::Hs256) => hmac_secret(s, secret, public),
        Some(_) => verifying_key(s, secret, public),
        None => None,
    };
    let name = value::words(255);
    let mut user_claims = s.list("user_claims", &name);
    if user_claims.is_empty() {
        user_claims = vec!["user_id".into(), "sub".into()];
    }
    let issuer = s.read("issuer", &name);
    let audience = s.read("audience", &name);
    let audience_claim = s.read("audience_claim", &name);
    let renamed = s.get("audience_claim").filter(|_| audience_claim.as_deref() != Some("aud"));
    if let Some(field) = renamed.filter(|_| audience.is_none()) {
        field.fail("stands without audience, which says what the claim must hold");
    }
    let leeway = s.duration("leeway", Duration::ZERO..=Duration::from_secs(600));
    let roles_claim = s.read("roles_claim", &name);
    // An empty list is one too: such tokens have no role at all.
    let listed = s.get("roles").map(|listed| listed.one_or_many());
    let listed =
        listed.map(|all| all.iter().filter_map(|role| role.read(|name| roles.known(name))).collect());
    let key = key?;
    Some(Issuer {
        issuer,
        audience,
        audience_claim: audience_claim.unwrap_or_else(|| "aud".into()),
        algorithm: algorithm?,
        development: development::is_known_secret(&key.0),
        key,
        jwks,
        leeway: leeway.unwrap_or(Duration::from_secs(30)),
        user_claims,
        roles_claim: roles_claim.unwrap_or_else(|| "roles".into()),
        roles: listed,
    })
}

type Given<'a> = Option<(Secret, Field<'a>)>;

/// No key of its own, for an issuer whose keys stand under a URL.
fn only_published(algorithm: Algorithm, url: Option<Field<'_>>, given: [Given<'_>; 2]) -> Option<Secret> {
    if algorithm == Algorithm::Hs256 {
        url?.fail("is not for HS256, whose secret nobody publishes");
    }
    for (_, field) in given.into_iter().flatten() {
        field.fail("stands beside jwks_url: give one of them");
    }
    Some(Secret(Vec::new()))
}

fn hmac_secret(s: &Section<'_>, secret: Given<'_>, public: Given<'_>) -> Option<Secret> {
    if let Some((_, field)) = public {
        field.fail("is not for HS256, which has a secret");
    }
    let names = ["secret", "secret_env", "secret_file"];
    let Some((secret, field)) = secret else {
        return missing(s, names, "HS256 needs one of secret, secret_env and secret_file");
    };
    if secret.0.len() < SHORTEST_SECRET {
        field.fail(format!("must give at least {SHORTEST_SECRET} bytes"));
        return None;
    }
    Some(secret)
}

fn verifying_key(s: &Section<'_>, secret: Given<'_>, public: Given<'_>) -> Option<Secret> {
    if let Some((_, field)) = secret {
        field.fail("is only for HS256; the other algorithms have a public key");
    }
    let names = ["public_key", "public_key_env", "public_key_file"];
    let Some((key, field)) = public else {
        return missing(
            s,
            names,
            "this algorithm needs one of jwks_url, public_key, public_key_env and public_key_file",
        );
    };
    let text = std::str::from_utf8(&key.0).unwrap_or_default();
    value::public_key(text).map_err(|message| field.fail(message)).ok()?;
    Some(key)
}

/// Tells that nothing is given, unless what was given has its own problem.
fn missing<T>(s: &Section<'_>, names: [&'static str; 3], message: &str) -> Option<T> {
    if names.iter().all(|name| s.get(name).is_none()) {
        s.field().fail(message);
    }
    None
}
