//! The folder of types and hooks as bytes: a fault below it belongs to the type that it lies in, and harms no other.
//!
//! What is said of types here holds for hooks.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

use super::inputs::{hidden, read_file};

/// What a folder of data can be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// A notification type.
    #[default]
    Type,
    /// How what a hook brings is mapped to notifications.
    Mapping,
}

impl Sort {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Type, Self::Mapping];

    /// Its name in messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Mapping => "mapping",
        }
    }

    /// The file that makes a folder one.
    pub const fn manifest(self) -> &'static str {
        match self {
            Self::Type => "type.yaml",
            Self::Mapping => "hook.yaml",
        }
    }

    /// What the file is called by mistake.
    pub const fn misspelt(self) -> &'static str {
        match self {
            Self::Type => "type.yml",
            Self::Mapping => "hook.yml",
        }
    }

    /// What a folder is that holds a file of this name.
    pub fn of_file(name: &OsStr) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| name == sort.manifest() || name == sort.misspelt())
    }
}

/// The most bytes of a type's files together.
pub const TYPE_BYTES: u64 = 1 << 20;
/// Files and folders of one type.
const TYPE_ENTRIES: usize = 1_024;
/// Files and folders in the folder of types.
const ALL_ENTRIES: usize = 4_096;
/// Bytes of all types' files.
const ALL_BYTES: u64 = 16 << 20;
/// How deep the folder of types may nest.
const DEPTH: usize = 8;

/// What the folder of types holds. Paths are relative to it; hidden files and folders are left out, and so are
/// files that belong to no type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeFiles {
    /// The types' files.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// Files and folders that could not be read, each with a text that completes the clause "PATH …". The path
    /// of the folder itself is empty: what lies behind the fault is not known then.
    pub faults: BTreeMap<PathBuf, String>,
}

/// Reads all types below a folder, within bounds. Symbolic links are followed.
///
/// # Errors
/// When the folder itself cannot be read.
pub(super) fn read(root: &Path) -> io::Result<TypeFiles> {
    let mut walk = Walk::default();
    match walk.folder(root, Path::new(""), &mut Vec::new(), None) {
        Ok(()) => Ok(walk.found),
        Err(Fault::Disk(error)) => Err(error),
        Err(Fault::Bound(why)) => {
            walk.found.faults.insert(PathBuf::new(), why);
            Ok(walk.found)
        }
    }
}

/// Why a file or a folder is not read.
enum Fault {
    Disk(io::Error),
    Bound(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// What one type has taken of its room.
#[derive(Default)]
struct Taken {
    bytes: u64,
    entries: usize,
}

#[derive(Default)]
struct Walk {
    found: TypeFiles,
    taken: Taken,
    /// There is no more room for any type.
    full: bool,
}

impl Walk {
    /// Walks a folder, which lies in the folders of `trail` (by their real paths) and maybe in a type.
    fn folder(
        &mut self,
        folder: &Path,
        below: &Path,
        trail: &mut Vec<PathBuf>,
        of: Option<&mut Taken>,
    ) -> Result<(), Fault> {
        let real = fs::canonicalize(folder)?;
        if trail.contains(&real) {
            return Err(Fault::Bound("is a link that leads back to where it stands".into()));
        }
        if trail.len() > DEPTH {
            return Err(Fault::Bound(format!("nests deeper than {DEPTH} folders")));
        }
        let names = names(folder)?;
        let mut own = Taken::default();
        let is_type = names.iter().any(|name| Sort::of_file(name).is_some());
        let mut of = if is_type { Some(&mut own) } else { of };
        trail.push(real);
        for name in names {
            let (path, relative) = (folder.join(&name), below.join(name));
            let read = self.entry(&path, &relative, trail, of.as_deref_mut());
            match read {
                Ok(()) => {}
                // A link that leads nowhere, or an entry that has just gone, is no file.
                Err(Fault::Disk(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(Fault::Disk(error)) => self.fault(relative, format!("cannot be read: {error}")),
                Err(Fault::Bound(why)) => self.fault(relative, why),
            }
            if self.full {
                // What was not looked at is not gone.
                let whole = if is_type { below } else { Path::new("") };
                self.fault(whole.to_owned(), "the folder of types has no room for all of it".into());
                break;
            }
        }
        trail.pop();
        Ok(())
    }

    fn fault(&mut self, path: PathBuf, why: String) {
        self.found.faults.entry(path).or_insert(why);
    }

    fn entry(
        &mut self,
        path: &Path,
        relative: &Path,
        trail: &mut Vec<PathBuf>,
        of: Option<&mut Taken>,
    ) -> Result<(), Fault> {
        self.taken.entries += 1;
        if self.taken.entries > ALL_ENTRIES {
            self.full = true;
            return Ok(());
        }
        let kind = fs::metadata(path)?;
        let Some(taken) = of else {
            return if kind.is_dir() { self.folder(path, relative, trail, None) } else { Ok(()) };
        };
        taken.entries += 1;
        match taken.entries {
            ..=TYPE_ENTRIES => self.entry_of_type(path, relative, trail, taken, &kind),
            n if n == TYPE_ENTRIES + 1 => Err(Fault::Bound(format!(
                "is one too many: a type has {TYPE_ENTRIES} files and folders at most"
            ))),
            _ => Ok(()),
        }
    }

    fn entry_of_type(
        &mut self,
        path: &Path,
        relative: &Path,
        trail: &mut Vec<PathBuf>,
        taken: &mut Taken,
        kind: &Metadata,
    ) -> Result<(), Fault> {
        if kind.is_dir() {
            return self.folder(path, relative, trail, Some(taken));
        }
        let (own, all) = (TYPE_BYTES - taken.bytes, ALL_BYTES - self.taken.bytes);
        if kind.len() > own {
            return Err(Fault::Bound(format!("is too large: a type has {TYPE_BYTES} bytes at most")));
        }
        if kind.len() > all {
            self.full = true;
            return Ok(());
        }
        let file = read_file(path, own.min(all))?;
        taken.bytes += file.len() as u64;
        self.taken.bytes += file.len() as u64;
        self.found.files.insert(relative.to_owned(), file);
        Ok(())
    }
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Result<Vec<OsString>, Fault> {
    let mut names = Vec::new();
    for (number, entry) in fs::read_dir(folder)?.enumerate() {
        if number == ALL_ENTRIES {
            return Err(Fault::Bound(format!("holds more than {ALL_ENTRIES} files and folders")));
        }
        let name = entry?.file_name();
        if !hidden(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
