//! Everything that the settings are made from, as bytes: what is hashed is what is parsed.
//!
//! Which files and variables those are, the files themselves say. So reading is parsing with a source that
//! goes to the disk and remembers each answer, a missing file too: should it appear, that is a change.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    decode,
    folder::{self, TypeFiles},
    problem::{ConfigProblem, ConfigProblems},
};

/// Bytes of one file of settings.
const FILE_BYTES: u64 = 4 << 20;
/// Files that one pattern may name.
const PATTERN_FILES: usize = 256;

/// Reads the environment: the value of a variable.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable of the process's own environment.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What the settings ask for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Ask {
    /// A file.
    File(PathBuf),
    /// The files that a pattern in the last part of a path matches.
    Pattern(PathBuf),
    /// An environment variable.
    Env(String),
    /// All types below a folder.
    Folder(PathBuf),
}

/// What came back.
pub(super) enum Answer {
    File(Vec<u8>),
    Pattern(Vec<PathBuf>),
    Env(String),
    Folder(TypeFiles),
    /// There is no such file, folder or variable.
    Missing,
    /// It cannot be had; the text completes the clause "FILE …".
    Failed(String),
}

/// Where answers come from.
pub(super) trait Source {
    fn ask(&self, ask: Ask) -> Arc<Answer>;
}

/// Every input of the settings. Cheap to clone. It holds secrets, so `Debug` shows only how many there are.
#[derive(Clone)]
pub struct Inputs {
    main: PathBuf,
    pub(super) answers: BTreeMap<Ask, Arc<Answer>>,
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs").field("main", &self.main).field("inputs", &self.answers.len()).finish()
    }
}

impl Inputs {
    pub(super) fn of(main: PathBuf, answers: BTreeMap<Ask, Arc<Answer>>) -> Self {
        Self { main, answers }
    }

    /// Reads the main file and all that it leads to: included files, key files, environment variables and
    /// the folder of types. Blocks on the disk.
    ///
    /// # Errors
    /// When the main file cannot be read. Everything else that cannot is left to [`super::parse`], which
    /// knows the line that asks for it.
    pub fn read(path: &Path, env: Env<'_>) -> Result<Self, ConfigProblems> {
        let disk = Disk { env, answers: RefCell::default() };
        let problem = |message: &str| Err(ConfigProblem::new(path, "", message).into());
        match &*disk.ask(Ask::File(path.into())) {
            Answer::File(_) => {}
            Answer::Failed(message) => return problem(message),
            _ => return problem("does not exist"),
        }
        // Problems are told by the parse that uses the bytes.
        let _ = decode::decode(path, &disk);
        Ok(Self { main: path.into(), answers: disk.answers.into_inner() })
    }

    /// Reads the same inputs again, without parsing: with an equal [`Inputs::fingerprint`] nothing has
    /// changed, since only a changed file can lead to other inputs. Blocks on the disk.
    #[must_use]
    pub fn reread(&self, env: Env<'_>) -> Self {
        let disk = Disk { env, answers: RefCell::default() };
        for ask in self.answers.keys() {
            disk.ask(ask.clone());
        }
        Self { main: self.main.clone(), answers: disk.answers.into_inner() }
    }

    /// SHA-256 over the names and contents of all inputs.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Fingerprint(Sha256::new());
        hash.part(self.main.as_os_str().as_encoded_bytes());
        for (ask, answer) in &self.answers {
            hash.ask(ask);
            hash.answer(answer);
        }
        hash.0.finalize().into()
    }

    /// The folder of types, when one is configured and exists: its path and what it holds.
    pub fn plugins(&self) -> Option<(&Path, &TypeFiles)> {
        self.answers.iter().find_map(|(ask, answer)| match (ask, &**answer) {
            (Ask::Folder(path), Answer::Folder(files)) => Some((path.as_path(), files)),
            _ => None,
        })
    }

    /// The main file.
    pub fn main(&self) -> &Path {
        &self.main
    }

    /// Every file and folder read or looked for, so that a watcher knows where to look.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.answers.keys().filter_map(|ask| match ask {
            Ask::File(path) | Ask::Folder(path) | Ask::Pattern(path) => Some(path.as_path()),
            Ask::Env(_) => None,
        })
    }
}

impl Source for Inputs {
    fn ask(&self, ask: Ask) -> Arc<Answer> {
        let missing = || Arc::new(Answer::Failed("changed while it was read".into()));
        self.answers.get(&ask).cloned().unwrap_or_else(missing)
    }
}

/// Parts with their lengths, so that no two different inputs hash the same bytes.
struct Fingerprint(Sha256);

impl Fingerprint {
    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn path(&mut self, path: &Path) {
        self.part(path.as_os_str().as_encoded_bytes());
    }

    fn ask(&mut self, ask: &Ask) {
        match ask {
            Ask::File(path) | Ask::Pattern(path) | Ask::Folder(path) => self.path(path),
            Ask::Env(name) => self.part(name.as_bytes()),
        }
    }

    fn answer(&mut self, answer: &Answer) {
        match answer {
            Answer::File(bytes) => {
                self.part(b"file");
                self.part(bytes);
            }
            Answer::Pattern(paths) => {
                self.part(b"pattern");
                self.0.update((paths.len() as u64).to_le_bytes());
                paths.iter().for_each(|path| self.path(path));
            }
            Answer::Env(text) => {
                self.part(b"env");
                self.part(text.as_bytes());
            }
            Answer::Folder(TypeFiles { files, faults }) => {
                self.part(b"folder");
                self.0.update((files.len() as u64).to_le_bytes());
                for (path, bytes) in files {
                    self.path(path);
                    self.part(bytes);
                }
                for (path, why) in faults {
                    self.path(path);
                    self.part(why.as_bytes());
                }
            }
            Answer::Missing => self.part(b"missing"),
            Answer::Failed(message) => {
                self.part(b"failed");
                self.part(message.as_bytes());
            }
        }
    }
}

/// Answers from the disk and the environment, each only once.
struct Disk<'a> {
    env: Env<'a>,
    answers: RefCell<BTreeMap<Ask, Arc<Answer>>>,
}

impl Source for Disk<'_> {
    fn ask(&self, ask: Ask) -> Arc<Answer> {
        if let Some(answer) = self.answers.borrow().get(&ask) {
            return answer.clone();
        }
        let answer = Arc::new(match &ask {
            Ask::File(path) => read_file(path, FILE_BYTES).map_or_else(failure, Answer::File),
            Ask::Pattern(path) => matching(path).map_or_else(failure, Answer::Pattern),
            Ask::Env(name) => (self.env)(name).map_or(Answer::Missing, Answer::Env),
            Ask::Folder(path) => folder::read(path).map_or_else(failure, Answer::Folder),
        });
        self.answers.borrow_mut().insert(ask, answer.clone());
        answer
    }
}

fn failure(error: io::Error) -> Answer {
    match error.kind() {
        io::ErrorKind::NotFound => Answer::Missing,
        _ => Answer::Failed(format!("cannot be read: {error}")),
    }
}

/// Reads a regular file; anything else, such as a pipe, could block for ever.
pub(super) fn read_file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it is larger than {most} bytes")));
    }
    plain_text(bytes)
}

/// Takes the byte order mark off text. Bytes that are no text are returned as they are.
fn plain_text(mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if is_utf16(&bytes) {
        return Err(io::Error::other("it is text in UTF-16: save it as UTF-8"));
    }
    if bytes.starts_with(MARK) && std::str::from_utf8(&bytes).is_ok() {
        bytes.drain(..MARK.len());
    }
    Ok(bytes)
}

/// Whether bytes are text in UTF-16: of a random secret that begins with its byte order mark, the rest is not mostly ASCII.
fn is_utf16(bytes: &[u8]) -> bool {
    let (text, high) = match bytes {
        [0xff, 0xfe, text @ ..] => (text, 1),
        [0xfe, 0xff, text @ ..] => (text, 0),
        [0, _, ..] => (bytes, 0),
        [_, 0, ..] => (bytes, 1),
        _ => return false,
    };
    let ascii = text.chunks_exact(2).filter(|unit| unit[high] == 0 && unit[1 - high].is_ascii()).count();
    text.len().is_multiple_of(2) && ascii * 8 >= text.len() * 3
}

/// The files that match, in the order of their names. None where the folder does not exist.
fn matching(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let glob = globset::Glob::new(name).map_err(io::Error::other)?.compile_matcher();
    let folder = pattern.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut paths = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(paths),
        other => other?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if !hidden(&name) && glob.is_match(&name) {
            paths.push(pattern.with_file_name(name));
        }
        if paths.len() > PATTERN_FILES {
            return Err(io::Error::other(format!("it matches more than {PATTERN_FILES} files")));
        }
    }
    paths.sort();
    Ok(paths)
}

pub(super) fn hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().first() == Some(&b'.')
}
