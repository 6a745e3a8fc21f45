//! Keys that verify signatures, in one form whatever they are read from: so two that are the same are equal.

use aws_lc_rs::{
    hmac,
    signature::{
        self as lc, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
    },
};
use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use jsonwebtoken::{DecodingKey, crypto::aws_lc::DEFAULT_PROVIDER};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::config::Algorithm;

/// A key that verifies signatures.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum VerifyingKey {
    Secret(Vec<u8>),
    /// The modulus and the exponent, without leading zeros.
    Rsa(Vec<u8>, Vec<u8>),
    /// The uncompressed point.
    Ec(Curve, Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// How many bytes a coordinate has.
    const fn size(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

impl VerifyingKey {
    /// Reads a key of the configuration so strictly that one which could never verify a token is found now, not at the
    /// first token. The error says what is needed, and shows nothing of it.
    pub fn configured(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, &'static str> {
        use Algorithm::{EdDsa, Es256, Es384, Es512, Hs256, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let (key, needed) = match algorithm {
            Hs256 => {
                let secret = (bytes.len() >= 32).then(|| Self::Secret(bytes.to_vec()));
                (secret, "an HS256 secret has at least 32 bytes")
            }
            Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512 => {
                (Self::rsa_pem(bytes), "RS256 to PS512 need an RSA public key of 2048 to 8192 bits in PEM")
            }
            Es256 => (Self::ec_pem(Curve::P256, bytes), "ES256 needs a P-256 public key in PEM"),
            Es384 => (Self::ec_pem(Curve::P384, bytes), "ES384 needs a P-384 public key in PEM"),
            Es512 => (Self::ec_pem(Curve::P521, bytes), "ES512 needs a P-521 public key in PEM"),
            EdDsa => {
                let point = DecodingKey::from_ed_pem(bytes).ok().and_then(|key| raw(&key));
                let key = point.filter(|point| point.len() == 32).map(Self::Ed25519);
                (key, "EdDSA needs an Ed25519 public key in PEM")
            }
        };
        key.ok_or(needed)
    }

    fn rsa_pem(pem: &[u8]) -> Option<Self> {
        let der = raw(&DecodingKey::from_rsa_pem(pem).ok()?)?;
        let (n, e) = (DEFAULT_PROVIDER.key_utils.rsa_pub_components_from_public_key)(&der).ok()?;
        Self::rsa(&n, &e)
    }

    fn rsa(n: &[u8], e: &[u8]) -> Option<Self> {
        let (n, e) = (stripped(n), stripped(e));
        let fits = (256..=1024).contains(&n.len()) && (1..=8).contains(&e.len());
        fits.then(|| Self::Rsa(n.to_vec(), e.to_vec()))
    }

    fn ec_pem(curve: Curve, pem: &[u8]) -> Option<Self> {
        let point = raw(&DecodingKey::from_ec_pem(pem).ok()?)?;
        let is_whole = point.len() == 1 + 2 * curve.size() && point[0] == 4;
        is_whole.then_some(Self::Ec(curve, point))
    }

    /// Reads a published key (RFC 7517, 7518, 8037). The error says why it is of no use here.
    pub fn published(jwk: &Map<String, Value>) -> Result<Self, &'static str> {
        let number = |name: &str| decoded(jwk.get(name)?.as_str()?);
        let curve = jwk.get("crv").and_then(Value::as_str);
        match jwk.get("kty").and_then(Value::as_str) {
            Some("RSA") => {
                let key = number("n").zip(number("e")).and_then(|(n, e)| Self::rsa(&n, &e));
                key.ok_or("its n and e are no RSA key of 2048 to 8192 bits")
            }
            Some("EC") => {
                let curve = match curve {
                    Some("P-256") => Curve::P256,
                    Some("P-384") => Curve::P384,
                    Some("P-521") => Curve::P521,
                    _ => return Err("its crv is none of P-256, P-384 and P-521"),
                };
                let point = number("x").zip(number("y")).and_then(|(x, y)| {
                    let (x, y) = (padded(&x, curve.size())?, padded(&y, curve.size())?);
                    Some([vec![4], x, y].concat())
                });
                Ok(Self::Ec(curve, point.ok_or("its x and y are no point of its crv")?))
            }
            Some("OKP") if curve == Some("Ed25519") => {
                let point = number("x").filter(|point| point.len() == 32);
                point.map(Self::Ed25519).ok_or("its x is no Ed25519 key")
            }
            Some("OKP") => Err("its crv is not Ed25519"),
            _ => Err("its kty is none of RSA, EC and OKP"),
        }
    }

    /// Whether it is a key for that algorithm.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Es512, Hs256, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match self {
            Self::Secret(_) => algorithm == Hs256,
            Self::Rsa(..) => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Self::Ec(Curve::P256, _) => algorithm == Es256,
            Self::Ec(Curve::P384, _) => algorithm == Es384,
            Self::Ec(Curve::P521, _) => algorithm == Es512,
            Self::Ed25519(_) => algorithm == EdDsa,
        }
    }

    /// Whether it made that signature of the message. A key never verifies by an algorithm that it does not fit.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let rsa = |parameters: &'static RsaParameters| match self {
            Self::Rsa(n, e) => RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok(),
            _ => false,
        };
        let point = |parameters: &'static dyn VerificationAlgorithm| match self {
            Self::Ec(_, point) | Self::Ed25519(point) => {
                UnparsedPublicKey::new(parameters, point).verify(message, signature).is_ok()
            }
            _ => false,
        };
        let signed = || match algorithm {
            Algorithm::Hs256 => match self {
                Self::Secret(secret) => {
                    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), message, signature).is_ok()
                }
                _ => false,
            },
            Algorithm::Rs256 => rsa(&lc::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Rs384 => rsa(&lc::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::Rs512 => rsa(&lc::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::Ps256 => rsa(&lc::RSA_PSS_2048_8192_SHA256),
            Algorithm::Ps384 => rsa(&lc::RSA_PSS_2048_8192_SHA384),
            Algorithm::Ps512 => rsa(&lc::RSA_PSS_2048_8192_SHA512),
            Algorithm::Es256 => point(&lc::ECDSA_P256_SHA256_FIXED),
            Algorithm::Es384 => point(&lc::ECDSA_P384_SHA384_FIXED),
            Algorithm::Es512 => point(&lc::ECDSA_P521_SHA512_FIXED),
            Algorithm::EdDsa => point(&lc::ED25519),
        };
        self.fits(algorithm) && signed()
    }

    /// Tells it from every other key.
    pub fn print(&self) -> [u8; 32] {
        let (kind, one, other): (String, &[u8], &[u8]) = match self {
            Self::Secret(secret) => ("secret".into(), secret, &[]),
            Self::Rsa(n, e) => ("rsa".into(), n, e),
            Self::Ec(curve, point) => (format!("{curve:?}"), point, &[]),
            Self::Ed25519(point) => ("ed25519".into(), point, &[]),
        };
        Sha256::digest([format!("{kind} {} ", one.len()).as_bytes(), one, other].concat()).into()
    }
}

fn raw(key: &DecodingKey) -> Option<Vec<u8>> {
    key.try_get_as_bytes().ok().map(<[u8]>::to_vec)
}

/// Reads base64url, whether or not it is padded.
fn decoded(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    LENIENT.decode(text).ok()
}

fn stripped(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// A number in so many bytes: some providers leave leading zeros out, or add one.
fn padded(number: &[u8], size: usize) -> Option<Vec<u8>> {
    let number = stripped(number);
    let zeros = size.checked_sub(number.len())?;
    (!number.is_empty()).then(|| [vec![0; zeros], number.to_vec()].concat())
}
