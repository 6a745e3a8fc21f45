//! `bellboard type new`: a folder that is served as it stands, to be changed into what is wanted.

use std::{
    fs,
    path::{Path, PathBuf},
};

use include_dir::{Dir, include_dir};

use crate::{
    cli::{Failure, print, setup},
    config::Sort,
    registry,
};

/// What a new type starts from.
static START: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/plugins/new");

/// The options of `type new`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The type's name: 1 to 64 characters of a-z, 0-9, _, - and ., a letter first.
    name: String,
    /// The family that it belongs to: a folder around the type's own.
    #[arg(long, env = "BELLBOARD_FAMILY")]
    family: Option<String>,
    /// Where to make it; the configured folder of types unless given.
    #[arg(long, env = "BELLBOARD_DIR", value_name = "PATH")]
    dir: Option<PathBuf>,
}

pub fn run(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, family, dir } = arguments;
    for (what, name) in [("NAME", Some(name)), ("--family", family.as_ref())] {
        if name.is_some_and(|name| !registry::is_name(name)) {
            return Err(format!(
                "{what} must have 1 to 64 characters of a-z, 0-9, _, - and ., a letter first"
            ));
        }
    }
    let root = match dir {
        Some(dir) => dir.clone(),
        None => configured(path)?,
    };
    refuse_doubled(path, name)?;
    let above = family.as_ref().map_or_else(|| root.clone(), |family| root.join(family));
    let home = above.join(name);
    if home.symlink_metadata().is_ok() {
        return Err(format!("{} is there already; nothing was changed", home.display()));
    }
    // Whole from its first moment, for a gateway that watches: what is hidden is no type.
    let hidden = above.join(format!(".{name}.new"));
    let made = fs::create_dir_all(&hidden)
        .and_then(|()| START.extract(&hidden))
        .and_then(|()| fs::rename(&hidden, &home));
    made.map_err(|e| format!("{} cannot be made: {e}", home.display()))?;
    print(&format!(
        "Made {}: a type that works as it stands, with three good cases and three bad ones.\n\
         Change its files to what you need, and look at it with\n\n  \
         bellboard type try {name} < draft.json\n  bellboard check\n\n\
         A running gateway takes each change within a second.",
        home.display()
    ))
}

/// The folder that the configuration names.
fn configured(path: &Path) -> Result<PathBuf, Failure> {
    let (_, config) = setup::read(path)?;
    config
        .plugins
        .ok_or_else(|| format!("{} names no folder under `plugins`: name one, or give --dir", path.display()))
}

/// Two types of one name harm each other, wherever their folders are.
fn refuse_doubled(path: &Path, name: &str) -> Result<(), Failure> {
    let site = match path.exists() {
        true => setup::read(path)?.0.plugins().map(|(root, files)| registry::folders(root, files)),
        false => None,
    };
    let standard = registry::standard();
    match standard
        .iter()
        .chain(site.iter().flatten())
        .find(|folder| folder.sort == Sort::Type && folder.name == name)
    {
        Some(folder) if folder.standard => Err(format!("{name} is a standard type; choose another name")),
        Some(folder) => Err(format!("there is a type {name} already: {}", folder.origin)),
        None => Ok(()),
    }
}
