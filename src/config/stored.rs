//! Inputs as bytes and back, so that they can be kept beside the gateway. The bytes hold secrets.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{
    folder::TypeFiles,
    inputs::{Answer, Ask, Inputs},
};

/// Changes when older bytes can no longer be read.
const FORMAT: u32 = 2;

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    /// Of all that follows: bytes that were cut off or changed by hand are not taken.
    fingerprint: Bytes,
    main: PathBuf,
    inputs: Vec<(Ask, StoredAnswer)>,
}

#[derive(Serialize, Deserialize)]
enum StoredAnswer {
    File(Bytes),
    Pattern(Vec<PathBuf>),
    Env(String),
    Folder(BTreeMap<PathBuf, Bytes>, BTreeMap<PathBuf, String>),
    Missing,
    Failed(String),
}

/// Bytes as base64.
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(|_| D::Error::custom("not base64"))
    }
}

impl Inputs {
    /// All inputs with their contents, secrets included.
    ///
    /// # Errors
    /// A path that is no text.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let inputs = self.answers.iter().map(|(ask, answer)| (ask.clone(), stored(answer))).collect();
        let stored = Stored {
            format: FORMAT,
            fingerprint: Bytes(self.fingerprint().to_vec()),
            main: self.main().to_owned(),
            inputs,
        };
        serde_json::to_vec(&stored).map_err(|e| e.to_string())
    }

    /// What [`Inputs::to_bytes`] made.
    ///
    /// # Errors
    /// Other bytes, such as a file that was cut off. The text shows nothing of them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        // The parser's own words could quote a secret.
        let fault = |e: serde_json::Error| format!("is no kept configuration: line {}", e.line());
        let stored: Stored = serde_json::from_slice(bytes).map_err(fault)?;
        if stored.format != FORMAT {
            return Err(format!("is of the format {}, and {FORMAT} is read", stored.format));
        }
        let answers = stored.inputs.into_iter().map(|(ask, answer)| (ask, Arc::new(answer.into())));
        let inputs = Self::of(stored.main, answers.collect());
        if inputs.fingerprint().as_slice() != stored.fingerprint.0 {
            return Err("was changed since it was written".into());
        }
        Ok(inputs)
    }

    /// The main file by its path, which could not be read: whatever it will hold is a change.
    pub fn missing(main: &Path) -> Self {
        Self::of(main.to_owned(), [(Ask::File(main.to_owned()), Arc::new(Answer::Missing))].into())
    }

    /// The same, with other files in the folder of types, all of them whole.
    #[must_use]
    pub fn with_plugins(mut self, files: BTreeMap<PathBuf, Vec<u8>>) -> Self {
        if let Some(answer) = self.answers.values_mut().find(|a| matches!(***a, Answer::Folder(_))) {
            *answer = Arc::new(Answer::Folder(TypeFiles { files, faults: BTreeMap::new() }));
        }
        self
    }
}

fn stored(answer: &Answer) -> StoredAnswer {
    match answer {
        Answer::File(bytes) => StoredAnswer::File(Bytes(bytes.clone())),
        Answer::Pattern(paths) => StoredAnswer::Pattern(paths.clone()),
        Answer::Env(text) => StoredAnswer::Env(text.clone()),
        Answer::Folder(TypeFiles { files, faults }) => {
            let files = files.iter().map(|(path, bytes)| (path.clone(), Bytes(bytes.clone())));
            StoredAnswer::Folder(files.collect(), faults.clone())
        }
        Answer::Missing => StoredAnswer::Missing,
        Answer::Failed(message) => StoredAnswer::Failed(message.clone()),
    }
}

impl From<StoredAnswer> for Answer {
    fn from(answer: StoredAnswer) -> Self {
        match answer {
            StoredAnswer::File(bytes) => Self::File(bytes.0),
            StoredAnswer::Pattern(paths) => Self::Pattern(paths),
            StoredAnswer::Env(text) => Self::Env(text),
            StoredAnswer::Folder(files, faults) => {
                let files = files.into_iter().map(|(path, bytes)| (path, bytes.0)).collect();
                Self::Folder(TypeFiles { files, faults })
            }
            StoredAnswer::Missing => Self::Missing,
            StoredAnswer::Failed(message) => Self::Failed(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        let files = BTreeMap::from([("a/type.yaml".into(), vec![0, 255])]);
        let faults = BTreeMap::from([("b".into(), "cannot be read".into())]);
        let answers = [
            (Ask::File("main.yaml".into()), Answer::File(b"x: 1".to_vec())),
            (Ask::Pattern("keys/*.yaml".into()), Answer::Pattern(vec!["keys/a.yaml".into()])),
            (Ask::Env("SECRET".into()), Answer::Env("told to nobody".into())),
            (Ask::Folder("plugins".into()), Answer::Folder(TypeFiles { files, faults })),
            (Ask::File("gone".into()), Answer::Missing),
            (Ask::File("pipe".into()), Answer::Failed("cannot be read".into())),
        ];
        Inputs::of("main.yaml".into(), answers.map(|(ask, answer)| (ask, Arc::new(answer))).into())
    }

    #[test]
    fn what_is_kept_comes_back_whole_or_not_at_all() {
        let bytes = inputs().to_bytes().unwrap();
        let back = Inputs::from_bytes(&bytes).unwrap();
        assert_eq!(back.fingerprint(), inputs().fingerprint());
        assert_eq!(back.plugins().unwrap().1.files.len(), 1);
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            let fault = Inputs::from_bytes(&bytes[..cut]).unwrap_err();
            assert!(!fault.contains("told"), "{fault}");
        }
        let changed = String::from_utf8(bytes).unwrap().replace("keys/a", "keys/b");
        assert!(Inputs::from_bytes(changed.as_bytes()).unwrap_err().contains("changed"));
    }
}
