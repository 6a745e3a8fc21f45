//! The header of Stripe's signatures: only what was signed, and is of this time, is believed.

use std::time::Duration;

use bellboard::{
    auth::{SenderProof, Shown},
    config::{Scheme, Secret},
    domain::{AuthFailure, Timestamp},
};

use super::breed;

const SECRET: &str = "whsec_secret-of-the-fuzzed-signatures-01";
const BODY: &[u8] = br#"{"id":"evt_1"}"#;
/// The time of the corpus' good signatures, in seconds.
const SIGNED: i64 = 1_800_000_000;
const WINDOW: i64 = 300;

#[test]
fn what_nobody_signed_is_refused() {
    let window = Duration::from_secs(WINDOW.unsigned_abs());
    let proof = SenderProof::new(Scheme::Stripe, &[Secret(SECRET.into())], window);
    let verify = |header: &str, body: &[u8], seconds: i64| {
        let shown = Shown { stripe: Some(header), ..Shown::default() };
        proof.verify(&proof.claim(shown, Timestamp(seconds * 1_000_000))?, body)
    };
    let corpus = breed::corpus("signature");
    let texts: Vec<_> =
        corpus.iter().map(|header| std::str::from_utf8(header).expect("text").trim_end()).collect();
    let good: Vec<_> = texts.iter().filter(|header| verify(header, BODY, SIGNED).is_ok()).collect();
    assert!(good.len() >= 2, "the corpus holds good signatures");
    // The tags that the secret made, of which a good header must hold one.
    let tags: Vec<_> = good
        .iter()
        .flat_map(|header| header.split(',').filter_map(|part| part.trim().strip_prefix("v1=")))
        .map(str::to_ascii_lowercase)
        .collect();

    let words = ["t=", "v1=", "v0=", ",", "=", " ", "-", "+", "1800000000", "9223372036854775807", "0x"];
    breed::run("signature", 20_000, &words, |header| {
        let Ok(text) = std::str::from_utf8(header) else { return "no text".into() };
        match verify(text, BODY, SIGNED) {
            Ok(()) => {
                let lower = text.to_ascii_lowercase();
                assert!(tags.iter().any(|tag| lower.contains(tag)), "{text:?} holds, and nobody signed it");
                assert!(text.contains(&format!("t={SIGNED}")), "{text:?} holds for another time");
                assert!(verify(text, b"{}", SIGNED).is_err(), "{text:?} holds for any body");
                let late = verify(text, BODY, SIGNED + WINDOW + 1);
                assert_eq!(late, Err(AuthFailure::StaleSignature), "{text:?}");
                "good".into()
            }
            Err(failure) => format!("{failure:?}"),
        }
    });
}
