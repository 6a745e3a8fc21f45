//! What is wrong in the folder of types stays with the type that it lies in.

use std::{os::unix::fs::symlink, path::PathBuf, process::Command};

use super::*;

fn site() -> Site {
    Site::new("plugins: types\n").with("types/a/type.yaml", "a").with("types/shop/b/type.yaml", "b")
}

fn faults(site: &Site) -> Vec<(String, String)> {
    let inputs = site.read();
    assert_eq!(site.problems(), [""; 0], "the settings are good");
    let found = inputs.plugins().unwrap().1;
    assert_eq!(found.files[Path::new("shop/b/type.yaml")], b"b");
    found.faults.iter().map(|(path, why)| (path.display().to_string(), why.clone())).collect()
}

#[test]
fn each_fault_is_told_where_it_lies_and_mending_it_is_a_change() {
    let site = site().with("types/notes.txt", "of no type").with("types/a/.hidden", "x");
    let home = site.0.path().join("types/a");
    let whole = site.read().fingerprint();
    assert_eq!(faults(&site), []);
    assert_eq!(site.read().plugins().unwrap().1.files.len(), 2);
    let pipe = |path: PathBuf| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    type Breaks<'a> = &'a dyn Fn(PathBuf);
    let ways: [(&str, &str, Breaks<'_>); 5] = [
        ("up", "is a link that leads back", &|path| symlink("..", path).unwrap()),
        ("self", "cannot be read", &|path| symlink("self", path).unwrap()),
        ("pipe", "cannot be read: it is no regular file", &pipe),
        ("large", "is too large", &|path| fs::write(path, vec![b'x'; (1 << 20) + 1]).unwrap()),
        ("deep", "nests deeper than 8", &|path| {
            fs::create_dir_all(path.join("1/2/3/4/5/6/7/8")).unwrap();
        }),
    ];
    for (name, why, breaks) in ways {
        let path = home.join(name);
        breaks(path.clone());
        let found = faults(&site);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!(found[0].0.starts_with(&format!("a/{name}")) && found[0].1.starts_with(why), "{found:?}");
        assert_ne!(site.read().fingerprint(), whole);
        let removed =
            if path.is_dir() && name == "deep" { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.unwrap();
        assert_eq!(site.read().fingerprint(), whole, "{name}");
    }
}

#[test]
fn one_type_takes_no_other_ones_room_and_a_full_folder_hides_nothing() {
    let site = site();
    let many = site.0.path().join("types/a/cases");
    fs::create_dir(&many).unwrap();
    for n in 0..1_100 {
        fs::write(many.join(n.to_string()), "x").unwrap();
    }
    let found = faults(&site);
    assert!(
        found.len() == 1 && found[0].0.starts_with("a/") && found[0].1.contains("one too many"),
        "{found:?}"
    );
    fs::remove_dir_all(&many).unwrap();
    // More than there is room for: those that were not read are told, whatever they are.
    for n in 0..20 {
        let path = format!("types/t{n:02}");
        fs::create_dir_all(site.0.path().join(&path)).unwrap();
        fs::write(site.0.path().join(&path).join("type.yaml"), vec![b'x'; (1 << 20) - 10]).unwrap();
    }
    let found = faults(&site);
    assert_eq!(found.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["", "t16"]);
}
