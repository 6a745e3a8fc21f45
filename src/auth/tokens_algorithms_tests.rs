//! Every algorithm, with tokens that it signed.

use aws_lc_rs::signature::KeyPair;

use super::*;

/// An algorithm, a token that is signed by it, and the key that verifies it.
type Signed = (Algorithm, String, Vec<u8>);

fn signed_by_every_algorithm() -> Vec<Signed> {
    use aws_lc_rs::{encoding::AsDer, rand::SystemRandom, signature as lc};
    let good = claims(json!({}));
    let rsa = EncodingKey::from_rsa_pem(pem!("rsa.pem")).unwrap();
    let by = |jwa, algorithm, key: &EncodingKey, public: &[u8]| {
        (algorithm, encode(&Header::new(jwa), &good, key).unwrap(), public.to_vec())
    };
    let pem = |key: &lc::EcdsaKeyPair| {
        let der: aws_lc_rs::encoding::PublicKeyX509Der = key.public_key().as_der().unwrap();
        let base64 = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n").into_bytes()
    };
    let p384 = lc::EcdsaKeyPair::generate(&lc::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let p521 = lc::EcdsaKeyPair::generate(&lc::ECDSA_P521_SHA512_FIXED_SIGNING).unwrap();
    let private = EncodingKey::from_ec_der(p384.to_pkcs8v1().unwrap().as_ref());
    let parts = [r#"{"alg":"ES512"}"#.to_owned(), good.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part));
    let message = parts.join(".");
    let signature = p521.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    let es512 = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    vec![
        by(Jwa::HS256, Algorithm::Hs256, &EncodingKey::from_secret(SECRET), SECRET),
        by(Jwa::RS256, Algorithm::Rs256, &rsa, pem!("rsa.pub.pem")),
        by(Jwa::RS384, Algorithm::Rs384, &rsa, pem!("rsa.pub.pem")),
        by(Jwa::RS512, Algorithm::Rs512, &rsa, pem!("rsa.pub.pem")),
        by(Jwa::PS256, Algorithm::Ps256, &rsa, pem!("rsa.pub.pem")),
        by(Jwa::PS384, Algorithm::Ps384, &rsa, pem!("rsa.pub.pem")),
        by(Jwa::PS512, Algorithm::Ps512, &rsa, pem!("rsa.pub.pem")),
        by(
            Jwa::ES256,
            Algorithm::Es256,
            &EncodingKey::from_ec_pem(pem!("ec.pem")).unwrap(),
            pem!("ec.pub.pem"),
        ),
        by(Jwa::ES384, Algorithm::Es384, &private, &pem(&p384)),
        (Algorithm::Es512, es512, pem(&p521)),
        by(
            Jwa::EdDSA,
            Algorithm::EdDsa,
            &EncodingKey::from_ed_pem(pem!("ed.pem")).unwrap(),
            pem!("ed.pub.pem"),
        ),
    ]
}

#[test]
fn every_algorithm_verifies_and_only_with_its_own_key() {
    let all = signed_by_every_algorithm();
    assert_eq!(all.len(), Algorithm::ALL.len());
    for (by, token, _) in &all {
        for (algorithm, _, key) in &all {
            let expected = if by == algorithm { "default/user:123" } else { "invalid_token" };
            let tokens = tokens(vec![public(*algorithm, key)]);
            assert_eq!(proves(&tokens, token), expected, "{by:?} at {algorithm:?}");
            let mut forged = token.clone();
            let at = forged.rfind('.').unwrap() + 5;
            let other = if &forged[at..=at] == "A" { "B" } else { "A" };
            forged.replace_range(at..=at, other);
            assert_eq!(proves(&tokens, &forged), "invalid_token");
        }
    }
}
