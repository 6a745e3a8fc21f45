//! The last accepted inputs, kept in a file, so that a restart after a bad edit still has something good.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{
    config::{Inputs, Sort},
    registry,
};

/// The file, and what it holds.
pub struct LastGood {
    path: PathBuf,
    held: Option<Inputs>,
}

impl LastGood {
    /// Reads what is kept there for a main file. A file that is missing holds nothing yet.
    ///
    /// # Errors
    /// Why what is there cannot be used; it is then written anew with the next good configuration.
    pub fn open(path: &Path, main: &Path) -> (Self, Option<String>) {
        let (held, fault) = match read(path, main) {
            Ok(held) => (held, None),
            Err(why) => (None, Some(format!("{} {why}", path.display()))),
        };
        (Self { path: path.to_owned(), held }, fault)
    }

    /// Sees whether the file could be written now. Blocks on the disk.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check_place(&self) -> Result<(), String> {
        let tried = create(&self.path).and_then(|(new, _)| fs::remove_file(new));
        tried.map_err(|e| self.unwritten(&e.to_string()))
    }

    fn unwritten(&self, why: &str) -> String {
        format!("the last good configuration is not kept: {} cannot be written: {why}", self.path.display())
    }

    /// What is kept.
    pub fn held(&self) -> Option<&Inputs> {
        self.held.as_ref()
    }

    /// Keeps accepted inputs; of each type or mapping in `kept`, which is broken in them, the version held before.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// Why it could not be written; what was kept before is still there.
    pub fn keep(&mut self, inputs: &Inputs, kept: &[(Sort, String)]) -> Result<(), String> {
        let inputs = self.mended(inputs, kept);
        // It may be gone, too.
        let is_there = self.path.exists();
        if is_there && self.held.as_ref().is_some_and(|held| held.fingerprint() == inputs.fingerprint()) {
            return Ok(());
        }
        let bytes = inputs.to_bytes().map_err(|e| self.unwritten(&e))?;
        write(&self.path, &bytes).map_err(|e| self.unwritten(&e.to_string()))?;
        self.held = Some(inputs);
        Ok(())
    }

    /// The inputs with nothing in them that is broken: a kept type's own files are those held before, and what
    /// could not be read is left out.
    fn mended(&self, inputs: &Inputs, kept: &[(Sort, String)]) -> Inputs {
        let files =
            |inputs: &Inputs| inputs.plugins().map(|(_, held)| held.files.clone()).unwrap_or_default();
        let mut mended = files(inputs);
        for path in own_files(inputs, kept) {
            mended.remove(&path);
        }
        if let Some(held) = &self.held {
            let mut old = files(held);
            mended.extend(own_files(held, kept).into_iter().filter_map(|path| old.remove_entry(&path)));
        }
        inputs.clone().with_plugins(mended)
    }
}

/// The paths of all files of the site's types and mappings of these names.
fn own_files(inputs: &Inputs, names: &[(Sort, String)]) -> Vec<PathBuf> {
    let folders = inputs.plugins().map(|(root, held)| registry::folders(root, held)).unwrap_or_default();
    let named = folders.iter().filter(|folder| {
        let is_it = |(sort, name): &(Sort, String)| *sort == folder.sort && *name == folder.name;
        names.iter().any(is_it)
    });
    named.flat_map(|folder| folder.files.keys().map(|file| folder.home.join(file))).collect()
}

fn read(path: &Path, main: &Path) -> Result<Option<Inputs>, String> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(format!("cannot be read: {e}")),
    };
    let inputs = Inputs::from_bytes(&bytes)?;
    // However the path is spelled.
    if std::path::absolute(inputs.main()).ok() != std::path::absolute(main).ok() {
        return Err(format!("is of another configuration, {}", inputs.main().display()));
    }
    Ok(Some(inputs))
}

/// Makes the file that is to take the place of another, for its owner alone.
fn create(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(".new");
    let new = path.with_file_name(name);
    // What a crash left behind may have another mode.
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&new)?;
    Ok((new, file))
}

/// Writes a file that is whole or not there.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (new, mut file) = create(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    // The name too is to outlive a loss of power.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(folder: &Path, types: &[(&str, &str)]) -> Inputs {
        let main = folder.join("bellboard.yaml");
        fs::write(&main, "plugins: ./plugins\n").unwrap();
        for (name, text) in types {
            let home = folder.join("plugins").join(name);
            fs::create_dir_all(&home).unwrap();
            fs::write(home.join("type.yaml"), text).unwrap();
        }
        Inputs::read(&main, &|_| None).unwrap()
    }

    #[test]
    fn a_type_that_is_broken_now_is_kept_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (path, main) = (folder.path().join("last"), folder.path().join("bellboard.yaml"));
        let (mut last, fault) = LastGood::open(&path, &main);
        assert!(fault.is_none() && last.held().is_none());
        last.keep(&inputs(folder.path(), &[("shop/a", "a1"), ("shop/b", "b1")]), &[]).unwrap();
        last.keep(&inputs(folder.path(), &[("shop/a", "a2"), ("shop/b", "b2")]), &[(Sort::Type, "a".into())])
            .unwrap();
        let (again, fault) = LastGood::open(&path, &main);
        assert_eq!(fault, None);
        let files = &again.held().unwrap().plugins().unwrap().1.files;
        assert_eq!(files[Path::new("shop/a/type.yaml")], b"a1");
        assert_eq!(files[Path::new("shop/b/type.yaml")], b"b2");
    }

    #[cfg(unix)]
    #[test]
    fn it_is_for_its_owner_alone_and_for_one_configuration() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, main) = (folder.path().join("last"), folder.path().join("bellboard.yaml"));
        fs::write(folder.path().join("last.new"), "left behind").unwrap();
        LastGood::open(&path, &main).0.keep(&inputs(folder.path(), &[]), &[]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (other, fault) = LastGood::open(&path, Path::new("other.yaml"));
        assert!(other.held().is_none() && fault.unwrap().contains("another configuration"));
    }
}
