//! What mappings promise: the standard ones hold, and a broken one is told with its place.

use std::collections::BTreeMap;

use super::super::{PluginFolder, Registry, case, standard_hooks};
use crate::config::Sort;

const STANDARD: [&str; 4] = ["alertmanager", "generic", "github", "stripe"];

const DOORS: &str =
    "description: Doors.\nrules:\n  - recipients: '1'\n    type: custom\n    title: '{{ event.door }}'\n";

/// What is wrong with a mapping of the site's.
fn problems(name: &str, files: &[(&str, &str)]) -> String {
    let folder = PluginFolder {
        sort: Sort::Mapping,
        name: name.into(),
        origin: format!("plugins/{name}"),
        files: files.iter().map(|(file, text)| ((*file).to_owned(), text.as_bytes().to_vec())).collect(),
        faults: BTreeMap::new(),
        ..PluginFolder::default()
    };
    let folders: Vec<_> = standard_hooks().into_iter().chain([folder]).collect();
    let loaded = Registry::load(&folders, None);
    loaded.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_standard_mappings_are_whole_and_each_has_its_cases() {
    let folders = standard_hooks();
    let loaded = Registry::load(&folders, None);
    assert_eq!(loaded.problems, []);
    assert_eq!(folders.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), STANDARD);
    for folder in &folders {
        let cases = folder.files.keys().filter(|file| case::is_case(file)).count();
        assert!(cases >= 3 && loaded.registry.mapping(&folder.name).is_some(), "{}", folder.name);
    }
}

#[test]
fn a_broken_mapping_is_told_with_its_place() {
    assert_eq!(problems("doors", &[("hook.yaml", DOORS)]), "");
    let more = |lines: &str| problems("doors", &[("hook.yaml", &format!("{DOORS}{lines}"))]);
    for (lines, told) in [
        (
            "    message: '{{ alert.x }}'\n",
            "plugins/doors/hook.yaml:3: mapping doors: message: template reads `alert`, which",
        ),
        ("    link: '{{ event.x'\n", "hook.yaml:3: mapping doors: link: template does not compile"),
        ("    when: event.x ==\n", "hook.yaml:3: mapping doors: when: template does not compile"),
        (
            "    metadata: {a: [{b: '{{ nothing }}'}]}\n",
            "mapping doors: metadata.a.b: template reads `nothing`",
        ),
        ("    mesage: x\n", "plugins/doors/hook.yaml:6: mapping doors: unknown field `mesage`"),
        ("headers: [X-Api-Key]\n", "mapping doors: headers names X-Api-Key, which holds a credential"),
        ("overload: 418\n", "mapping doors: overload must be 429 or 503"),
        ("authentication: none\n", "mapping doors: "),
        (
            "replaces: true\n",
            "mapping doors: it says `replaces: true`, but there is no standard mapping of this name",
        ),
    ] {
        assert!(more(lines).contains(told), "{told}\n{}", more(lines));
    }
    assert!(
        problems("doors", &[("hook.yml", DOORS)])
            .contains("it has no hook.yaml: is the file named hook.yml?")
    );
    assert!(problems("stripe", &[("hook.yaml", DOORS)]).contains("a standard mapping has this name"));
}

#[test]
fn the_guides_mapping_works_as_it_is_written() {
    let guide = include_str!("../../../docs/hooks.md");
    let block = |start: &str| {
        let (_, rest) = guide.split_once(&format!("```yaml\n{start}")).expect("a block");
        format!("{start}{}", rest.split_once("```").expect("its end").0)
    };
    let (mapping, case) = (block("description: The doors"), block("description: A door that"));
    assert_eq!(problems("doors", &[("hook.yaml", &mapping), ("cases/a.yaml", &case)]), "");
}

#[test]
fn a_case_that_does_not_come_out_keeps_its_mapping_from_service() {
    let with = |case: &str| problems("doors", &[("hook.yaml", DOORS), ("cases/a.yaml", case)]);
    let case = |expect: &str| with(&format!("description: d\nbody: {{door: b1}}\nexpect: {{{expect}}}\n"));
    assert_eq!(case("notifications: [{users: [1], title: b1}]"), "");
    for (expect, told) in [
        ("notifications: [{title: b2}]", "expected title of notification 1 to be \"b2\", but it is \"b1\""),
        ("", "expected notifications: 0, but it is 1"),
        ("problems: [title]", "but found: none"),
        ("notifications: [{colour: red}]", "`colour` cannot be expected"),
    ] {
        assert!(case(expect).contains(told), "{told}\n{}", case(expect));
    }
    let unset = with("description: d\nbody: {}\nsettings: {room: 1}\nexpect: {}\n");
    assert!(
        unset.contains("plugins/doors/cases/a.yaml: mapping doors: room is no setting of the mapping"),
        "{unset}"
    );
}
