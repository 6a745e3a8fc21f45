//! Folders of types, as bytes: the standard ones in the binary and a site's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use super::TypeProblem;

static STANDARD: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/plugins/types");

/// Where the standard types are in the source tree: how problems name their files.
const STANDARD_ROOT: &str = "plugins/types";

/// The file that makes a folder a type, and the spelling that is taken for it by mistake.
pub(super) const MANIFEST: &str = "type.yaml";
const MISSPELT: &str = "type.yml";

/// The files of one type, not yet looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeFolder {
    /// The type's name: the folder's.
    pub name: String,
    /// The name of the folder above it, when that is not the root.
    pub family: Option<String>,
    /// The folder's path, as problems show it.
    pub origin: String,
    /// Whether it comes with the gateway.
    pub standard: bool,
    /// What the folder holds, by path relative to it with `/` between the parts.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl TypeFolder {
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
    pub(super) fn problem(&self, file: &str, line: Option<u64>, message: impl Into<String>) -> TypeProblem {
        let file = if file.is_empty() { self.origin.clone() } else { format!("{}/{file}", self.origin) };
        TypeProblem { kind: self.name.clone(), file, line, message: message.into() }
    }
}

/// The types that come with the gateway.
pub fn standard() -> Vec<TypeFolder> {
    let mut files = BTreeMap::new();
    collect(&STANDARD, &mut files);
    let mut found = folders(Path::new(STANDARD_ROOT), &files);
    for folder in &mut found {
        folder.standard = true;
    }
    found
}

fn collect(dir: &Dir<'_>, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    files.extend(dir.files().map(|f| (Path::new(STANDARD_ROOT).join(f.path()), f.contents().to_vec())));
    for dir in dir.dirs() {
        collect(dir, files);
    }
}

/// The types of a site's directory, given what it holds: each folder at any depth with a
/// `type.yaml` is one, and a file belongs to the nearest such folder above it. Paths may start
/// with `root` or be relative to it. Whatever is hidden (a name that starts with a dot) is left
/// out: mounted volumes keep second copies there.
pub fn folders(root: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<TypeFolder> {
    let files: Vec<(&Path, &Vec<u8>)> = files
        .iter()
        .map(|(path, bytes)| (path.strip_prefix(root).unwrap_or(path), bytes))
        .filter(|(path, _)| !path.components().any(is_hidden))
        .collect();
    let homes: BTreeSet<&Path> = files
        .iter()
        .filter(|(path, _)| path.ends_with(MANIFEST) || path.ends_with(MISSPELT))
        .filter_map(|(path, _)| path.parent())
        .collect();
    let mut found: BTreeMap<&Path, TypeFolder> =
        homes.iter().map(|home| (*home, empty(root, home))).collect();
    for (path, bytes) in files {
        let home = path.ancestors().skip(1).find(|above| homes.contains(above));
        if let Some((home, folder)) = home.and_then(|home| Some((home, found.get_mut(home)?))) {
            let parts = path.strip_prefix(home).unwrap_or(path).components();
            let parts: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy()).collect();
            folder.files.insert(parts.join("/"), bytes.clone());
        }
    }
    found.into_values().collect()
}

fn is_hidden(part: Component<'_>) -> bool {
    matches!(part, Component::Normal(name) if name.as_encoded_bytes().starts_with(b"."))
}

fn empty(root: &Path, home: &Path) -> TypeFolder {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    TypeFolder {
        name: name(home).unwrap_or_default(),
        family: home.parent().and_then(name),
        origin: root.join(home).display().to_string(),
        standard: false,
        files: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{BTreeMap, Path, PathBuf, folders};

    #[test]
    fn every_folder_with_a_manifest_is_a_type() {
        let files: BTreeMap<PathBuf, Vec<u8>> = [
            "/site/readme.md",
            "/site/flat/type.yaml",
            "/site/flat/cases/good.yaml",
            "/site/shop/parcel/type.yaml",
            "/site/shop/parcel/a/b.json",
            "/site/shop/late/type.yml",
            "/site/..data/flat/type.yaml",
            "/site/flat/.type.yaml.swp",
        ]
        .map(|path| (path.into(), b"x".to_vec()))
        .into();
        let found = folders(Path::new("/site"), &files);
        let seen: Vec<_> = found
            .iter()
            .map(|f| (f.name.as_str(), f.family.as_deref(), f.files.keys().map(String::as_str).collect()))
            .collect();
        assert_eq!(
            seen,
            [
                ("flat", None, vec!["cases/good.yaml", "type.yaml"]),
                ("late", Some("shop"), vec!["type.yml"]),
                ("parcel", Some("shop"), vec!["a/b.json", "type.yaml"]),
            ]
        );
        assert_eq!(found[0].origin, "/site/flat");
    }
}
