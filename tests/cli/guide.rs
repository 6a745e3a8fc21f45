//! What documents tell their readers to do: who does it gets what they show.

use std::{fs, path::Path, process::Command, time::Instant};

use super::gateway::{Gateway, SOON, Site};

/// What the guide tells its reader to do.
enum Act {
    /// To write a file.
    Write { path: String, text: String },
    /// To run commands, which answer so; `…` stands for anything. None where nothing is shown.
    Run { commands: String, shown: Option<String> },
}

/// A block of a document: the line before it, its language and its text.
type Block = (String, String, String);

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).expect("a document")
}

/// The blocks under a heading, in their order.
fn blocks(document: &str, heading: &str) -> Vec<Block> {
    let (_, part) = document.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let part = part.split("\n## ").next().unwrap_or_default();
    let mut blocks = Vec::new();
    let mut pieces = part.split("\n```");
    while let (Some(before), Some(block)) = (pieces.next(), pieces.next()) {
        let (language, text) = block.split_once('\n').expect("a block");
        let line = before.trim_end().lines().next_back().unwrap_or_default();
        blocks.push((line.to_owned(), language.to_owned(), format!("{text}\n")));
    }
    blocks
}

/// The text of those blocks of a language that stand under a heading.
fn texts(document: &str, heading: &str, language: &str) -> Vec<String> {
    let blocks = blocks(document, heading).into_iter();
    blocks.filter(|(_, of, _)| of == language).map(|(_, _, text)| text).collect()
}

/// The acts of the part under a heading, in their order.
fn acts(guide: &str, heading: &str) -> Vec<Act> {
    let mut acts = Vec::new();
    for (line, language, text) in blocks(guide, heading) {
        let path =
            line.strip_suffix("`:").and_then(|line| line.rsplit_once('`')).map(|(_, path)| path.into());
        match (language.as_str(), path, acts.last_mut()) {
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
    let acts = acts(&document("docs/plugins.md"), "From nothing to a type of your own, in five minutes");
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

/// Runs commands as the same reader does one after the other, each of which must end well, with this gateway for the
/// one that they name. A request that is refused is no good end.
fn all(site: &Site, gateway: &Gateway, named: &str, before: &str, commands: &str) -> String {
    assert!(commands.contains(named), "{commands}");
    let commands = commands.replace(named, &gateway.public).replace("127.0.0.1:9090", &gateway.admin);
    let admin = format!("export BELLBOARD_ADMIN_LISTEN={}", gateway.admin);
    let (good, answer) = run(
        site,
        &format!("set -e\n{admin}\ncurl() {{ command curl -fsS \"$@\"; echo; }}\n{before}\n{commands}"),
    );
    assert!(good, "{commands}\n{answer}");
    answer
}

#[test]
fn the_readmes_commands_work_as_they_stand_and_in_their_order() {
    let readme = document("README.md");
    let start = texts(&readme, "Start", "sh");
    assert_eq!((start.len(), start[0].as_str()), (2, "cargo run --release\n"));
    let site = Site::default_settings();
    let gateway = site.serve();
    let sent = all(&site, &gateway, "127.0.0.1:8080", "", &start[1]);
    assert!(shows(&sent, r#"{"result":"Success",…"title":"Hello""#), "{sent}");

    let first = texts(&readme, "What to do first", "sh");
    assert_eq!(first.len(), 5, "what all need, and what each kind of user does");
    let did = all(&site, &gateway, "127.0.0.1:8080", "", &first.concat());
    let shown = [
        r#""name":"billing_invoice""#,
        "Dry run: nothing was stored",
        r#""title":"Service 7 is ready""#,
        r#""sent":2"#,
        "The key, for the system that sends",
        "The new key, for the system that sends",
        "door_opened: a type that works as it stands",
        "config/bellboard.yaml: good. 1 tenant(s)",
        r#""records":["#,
        "bellboard_notifications_sent_total",
        r#""title":"Maintenance at 22:00""#,
        r#""title":"Service 7 is ready""#,
        r#""title":"Hello""#,
        r#""unread_count":3"#,
    ];
    assert!(shows(&did, &shown.join("\n")), "{did}");
    // The link that is printed opens the inbox of the user to whom the first one is sent.
    assert!(gateway.out().contains("Open the inbox of user 1 "), "{}", gateway.out());
}

#[test]
fn the_hooks_of_the_guide_are_good_settings_and_its_request_is_taken() {
    let guide = document("docs/hooks.md");
    let mut settings = texts(&guide, "Alertmanager", "yaml")[0].clone();
    for heading in ["Stripe", "GitHub", "Anything else"] {
        settings.push_str(&texts(&guide, heading, "yaml")[0]);
    }
    let site = Site::new(&format!("{settings}    users: open\napi_keys: {{}}\n"));
    let secret = "a-secret-of-the-hooks-of-the-guide-00001";
    for file in ["alertmanager-token", "github-secret", "anything-token"] {
        site.write(&format!("config/{file}"), secret);
    }
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.env("STRIPE_WEBHOOK_SECRET", secret);
    let gateway = Gateway::start(command);
    let commands = texts(&guide, "Anything else", "sh").concat();
    let answer = all(&site, &gateway, "https://crm.example", &format!("TOKEN={secret}"), &commands);
    assert!(answer.contains(r#""stored":2"#), "{answer}");
}
