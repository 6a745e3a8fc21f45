//! `docs/plugins.md`: a newcomer who does what it says gets what it shows.

use std::{fs, path::Path, process::Command, time::Instant};

use super::gateway::{Gateway, SOON, Site};

/// What the guide tells its reader to do.
enum Act {
    /// To write a file.
    Write { path: String, text: String },
    /// To run commands, which answer so; `…` stands for anything. None where nothing is shown.
    Run { commands: String, shown: Option<String> },
}

/// The acts of the part under a heading, in their order.
fn acts(guide: &str, heading: &str) -> Vec<Act> {
    let (_, part) = guide.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let part = part.split("\n## ").next().unwrap_or_default();
    let mut acts = Vec::new();
    let mut pieces = part.split("\n```");
    while let (Some(before), Some(block)) = (pieces.next(), pieces.next()) {
        let (language, text) = block.split_once('\n').expect("a block");
        let text = format!("{text}\n");
        let line = before.trim_end().lines().next_back().unwrap_or_default();
        let path =
            line.strip_suffix("`:").and_then(|line| line.rsplit_once('`')).map(|(_, path)| path.into());
        match (language, path, acts.last_mut()) {
            ("sh", None, _) => acts.push(Act::Run { commands: text, shown: None }),
            ("text", None, Some(Act::Run { shown, .. })) if shown.is_none() => *shown = Some(text),
            ("yaml" | "json", Some(path), _) => acts.push(Act::Write { path, text }),
            _ => panic!("a reader would not know what to do with this:\n{line}\n{text}"),
        }
    }
    acts
}

impl Act {
    fn perform(&self, site: &Site, gateway: &Gateway) {
        match self {
            Self::Write { path, text } => site.write(path, text),
            Self::Run { commands, shown } => {
                let commands = commands.replace("127.0.0.1:8080", &gateway.public);
                let commands = commands.replace("127.0.0.1:9090", &gateway.admin);
                // The gateway takes an edit within a second; a reader would try again, too.
                let mut last = String::new();
                let end = Instant::now() + SOON;
                while Instant::now() < end {
                    let (good, answer) = run(site, &commands);
                    if shown.as_ref().map_or(good, |shown| shows(&answer, shown)) {
                        return;
                    }
                    last = answer;
                }
                panic!(
                    "{commands}\nshould answer\n{}\nbut answers\n{last}",
                    shown.as_deref().unwrap_or("well")
                );
            }
        }
    }
}

/// Runs the commands as a reader's shell does, with the program on the path.
fn run(site: &Site, commands: &str) -> (bool, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_bellboard"));
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("bash");
    command.args(["-c", commands]).current_dir(site.path(""));
    command.env("PATH", format!("{}:{path}", program.parent().expect("a folder").display()));
    command.env("no_proxy", "127.0.0.1");
    let ran = command.output().expect("a shell");
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.success(), String::from_utf8(text).expect("text"))
}

/// Whether all that is shown stands in the answer, in this order.
fn shows(answer: &str, shown: &str) -> bool {
    let mut rest = answer;
    shown.lines().flat_map(|line| line.split('…')).map(str::trim).all(|piece| {
        let found = rest.split_once(piece);
        rest = found.map_or("", |(_, after)| after);
        found.is_some()
    })
}

#[test]
fn a_newcomer_gets_a_live_type_of_their_own() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/plugins.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    let acts = acts(&guide, "From nothing to a type of your own, in five minutes");
    let site = Site::default_settings();
    let gateway = site.serve();
    for act in &acts {
        act.perform(&site, &gateway);
    }
    let runs = acts.iter().filter(|act| matches!(act, Act::Run { .. })).count();
    assert_eq!((runs, acts.len()), (13, 18), "all of the guide was found");
    let log = "config/plugins/shop/parcel_sent/type.yaml:6: type parcel_sent: there is no component";
    assert!(gateway.log().contains(log), "{}", gateway.log());
    // The reader's own folder is as it was.
    assert!(!site.path("config/plugins/shop").exists() && !site.path("draft.json").exists());
}
