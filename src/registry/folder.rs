//! Folders of types and hooks, as bytes: the standard ones in the binary and a site's own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use super::PluginProblem;
use crate::config::{Sort, TypeFiles, bounded};

static TYPES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/plugins/types");
static HOOKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/plugins/hooks");

/// The files of one type or hook, not yet looked into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginFolder {
    /// Which of the two it is.
    pub sort: Sort,
    /// Its name: the folder's.
    pub name: String,
    /// The name of the folder above it, when that is not the root.
    pub family: Option<String>,
    /// The folder's path, as problems show it.
    pub origin: String,
    /// The folder's path below the root.
    pub home: PathBuf,
    /// Whether it comes with the gateway.
    pub standard: bool,
    /// What the folder holds, by path relative to it with `/` between the parts.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What of it could not be read, by path, and why; the path of the folder itself is empty.
    pub faults: BTreeMap<String, String>,
}

impl PluginFolder {
    /// SHA-256 over the names and contents of its files.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        for (name, bytes) in &self.files {
            part(name.as_bytes());
            part(bytes);
        }
        hash.finalize().into()
    }

    /// A problem of one of its files, or of the folder when `file` is empty.
    pub(super) fn problem(&self, file: &str, line: Option<u64>, message: impl Into<String>) -> PluginProblem {
        let file = if file.is_empty() { self.origin.clone() } else { format!("{}/{file}", self.origin) };
        PluginProblem {
            sort: self.sort,
            name: self.name.clone(),
            file,
            line,
            message: bounded(message.into()),
        }
    }
}

/// The types that come with the gateway.
pub fn standard() -> Vec<PluginFolder> {
    held(&TYPES, "plugins/types")
}

/// The hooks that come with the gateway.
pub fn standard_hooks() -> Vec<PluginFolder> {
    held(&HOOKS, "plugins/hooks")
}

/// What the binary holds. Problems name the files by their place in the source tree.
fn held(dir: &Dir<'_>, root: &str) -> Vec<PluginFolder> {
    let mut files = BTreeMap::new();
    collect(dir, &mut files);
    let mut found = folders(Path::new(root), &TypeFiles { files, faults: BTreeMap::new() });
    for folder in &mut found {
        folder.standard = true;
    }
    found
}

fn collect(dir: &Dir<'_>, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    files.extend(dir.files().map(|f| (f.path().to_owned(), f.contents().to_vec())));
    for dir in dir.dirs() {
        collect(dir, files);
    }
}

/// The types and hooks of a site's directory, given what it holds below `root`: each folder at any depth with a
/// `type.yaml` or a `hook.yaml` is one, and a file belongs to the nearest such folder above it. What could not be
/// read counts as a type where it lies in none: it may be one, or hide some.
pub fn folders(root: &Path, held: &TypeFiles) -> Vec<PluginFolder> {
    let all = held.files.keys().chain(held.faults.keys()).map(PathBuf::as_path);
    let mut homes: BTreeMap<&Path, Sort> = BTreeMap::new();
    for path in all {
        if let (Some(home), Some(sort)) = (path.parent(), path.file_name().and_then(Sort::of_file)) {
            // One that holds both is a type, and the other file is one of its own.
            let known = homes.entry(home).or_insert(sort);
            *known = sort.min(*known);
        }
    }
    for path in held.faults.keys() {
        if home(&homes, path).is_none() {
            homes.insert(path, Sort::default());
        }
    }
    let mut found: BTreeMap<&Path, PluginFolder> =
        homes.iter().map(|(home, sort)| (*home, empty(root, home, *sort))).collect();
    // Whose it is, and its path there.
    let place = |path: &Path| {
        let home = home(&homes, path)?;
        let parts = path.strip_prefix(home).unwrap_or(path).components();
        let parts: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy()).collect();
        Some((home, parts.join("/")))
    };
    for (path, bytes) in &held.files {
        if let Some((home, name)) = place(path)
            && let Some(folder) = found.get_mut(home)
        {
            folder.files.insert(name, bytes.clone());
        }
    }
    for (path, why) in &held.faults {
        if let Some((home, name)) = place(path)
            && let Some(folder) = found.get_mut(home)
        {
            folder.faults.insert(name, why.clone());
        }
    }
    found.into_values().collect()
}

/// The nearest folder of a type at or above a path.
fn home<'p>(homes: &BTreeMap<&'p Path, Sort>, path: &Path) -> Option<&'p Path> {
    path.ancestors().find_map(|above| homes.get_key_value(above)).map(|(home, _)| *home)
}

fn empty(root: &Path, home: &Path, sort: Sort) -> PluginFolder {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    PluginFolder {
        sort,
        name: name(home).unwrap_or_default(),
        family: home.parent().and_then(name),
        origin: root.join(home).display().to_string(),
        home: home.to_owned(),
        standard: false,
        files: BTreeMap::new(),
        faults: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, TypeFiles, folders};

    #[test]
    fn every_folder_with_a_manifest_is_a_type_and_faults_are_theirs() {
        let files = [
            "readme.md",
            "flat/type.yaml",
            "flat/cases/good.yaml",
            "shop/parcel/type.yaml",
            "shop/parcel/a/b.json",
            "shop/late/type.yml",
        ];
        let faults = ["flat/cases/bad.yaml", "shop/new/type.yaml", "closed"];
        let held = TypeFiles {
            files: files.map(|path| (path.into(), b"x".to_vec())).into(),
            faults: faults.map(|path| (path.into(), "cannot be read".into())).into(),
        };
        let found = folders(Path::new("/site"), &held);
        let names = |names: &mut dyn Iterator<Item = &String>| names.cloned().collect::<Vec<_>>().join(" ");
        let seen: Vec<_> = found
            .iter()
            .map(|f| {
                let (files, faults) = (names(&mut f.files.keys()), names(&mut f.faults.keys()));
                (f.name.as_str(), f.family.as_deref().unwrap_or("-"), files, faults)
            })
            .collect();
        let seen: Vec<_> = seen.iter().map(|(n, f, files, faults)| [n, f, files.as_str(), faults]).collect();
        assert_eq!(
            seen,
            [
                ["closed", "-", "", ""],
                ["flat", "-", "cases/good.yaml type.yaml", "cases/bad.yaml"],
                ["late", "shop", "type.yml", ""],
                ["new", "shop", "", "type.yaml"],
                ["parcel", "shop", "a/b.json type.yaml", ""],
            ]
        );
        assert_eq!((found[1].origin.as_str(), found[0].faults.len()), ("/site/flat", 1));
    }
}
