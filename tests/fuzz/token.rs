//! A bearer token: only what was signed is believed.

use bellboard::{
    auth::{BadToken, Tokens},
    config::{self, Inputs},
    domain::Timestamp,
};

use super::breed;

/// The issuer of the corpus' good tokens, and one of another algorithm, whose public key must not do as a secret.
const SETTINGS: &str = r#"
tenants:
  default:
    issuers:
      - {algorithm: HS256, secret: signing-secret-of-the-fuzzed-tokens}
      - {algorithm: ES256, issuer: es, public_key: KEY}
api_keys: {}
"#;

#[test]
fn what_nobody_signed_proves_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bellboard.yaml");
    let key = serde_json::Value::from(include_str!("../fixtures/keys/ec.pub.pem")).to_string();
    std::fs::write(&file, SETTINGS.replace("KEY", &key)).expect("a file");
    let config = config::parse(&Inputs::read(&file, &|_| None).expect("a file")).expect("good settings");
    let tokens = Tokens::build(&config, None).expect("good issuers");
    let now = Timestamp(1_800_000_000_000_000);

    let signed = breed::corpus("token");
    let is_signed = |token: &[u8]| signed.iter().any(|signed| signed == token);
    let good = |token: &[u8]| std::str::from_utf8(token).is_ok_and(|token| tokens.verify(token, now).is_ok());
    assert!(signed.iter().filter(|token| good(token)).count() >= 2, "the corpus holds good tokens");

    let words = [
        ".",
        "=",
        "e30",
        "eyJhbGciOiJub25lIn0",
        "eyJhbGciOiJFUzI1NiJ9",
        "eyJhbGciOiJIUzI1NiJ9",
        "_",
        "-",
        "\n",
    ];
    breed::run("token", 20_000, &words, |token| {
        let Ok(text) = std::str::from_utf8(token) else { return "no text".into() };
        match tokens.verify(text, now) {
            Ok(verified) => {
                assert!(is_signed(token), "{text:?} proves user {}", verified.user);
                "good".into()
            }
            Err(BadToken::Expired) => "expired".into(),
            Err(BadToken::Invalid(why)) => why.into(),
            Err(BadToken::Pending(_)) => "its keys are to be fetched".into(),
        }
    });
}
