//! Breeds inputs: those of a corpus are changed and crossed, and one that leads to another outcome than all before joins them.
//!
//! It needs no instrumented build, so it runs with the other tests: a target tells its outcome, and that stands in for the
//! paths of the code that an instrumented build would tell.

use std::{
    collections::HashSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
};

use crate::support::Dice;

/// No input is longer, in bytes.
const LONGEST: usize = 64 * 1024;
/// How many inputs are kept to breed from.
const MOST: usize = 2_000;

/// What YAML is made of.
pub const YAML: &[&str] =
    &["\n  ", "\n", ": ", "- ", "{", "}", "[", "]", "&a ", "*a", "\"", "null", "999999999999999999999"];

/// Puts each input of a corpus, and so many that are bred from it, to the target. `words` are what inputs of its kind are
/// made of.
pub fn run(name: &str, rounds: u64, words: &[&str], target: impl Fn(&[u8]) -> String) {
    let rounds = set("ROUNDS").unwrap_or(rounds);
    let mut dice = Dice::new(set("SEED").unwrap_or(1));
    let mut pool = corpus(name);
    let mut outcomes = HashSet::new();
    for input in &pool {
        outcomes.insert(put(name, input, &target));
    }
    for _ in 0..rounds {
        let mut input = pool[dice.place(pool.len())].clone();
        for _ in 0..=dice.roll(4) {
            change(&mut input, &pool, words, &mut dice);
        }
        input.truncate(LONGEST);
        if outcomes.insert(put(name, &input, &target)) && pool.len() < MOST {
            pool.push(input);
        }
    }
    println!("{name}: {rounds} rounds, {} outcomes", outcomes.len());
}

/// The inputs that stand in files.
pub fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("a corpus").map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder:?} is empty");
    files.iter().map(|file| fs::read(file).expect("a file")).collect()
}

fn set(name: &str) -> Option<u64> {
    std::env::var(format!("BELLBOARD_FUZZ_{name}")).ok().map(|number| number.parse().expect("a number"))
}

/// The target's outcome. What it fails on is kept.
fn put(name: &str, input: &[u8], target: impl Fn(&[u8]) -> String) -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
    let keep = || fs::write(&file, input).expect("a file");
    if std::env::var_os("BELLBOARD_FUZZ_KEEP").is_some() {
        keep();
    }
    match catch_unwind(AssertUnwindSafe(|| target(input))) {
        // Places and sizes differ without end.
        Ok(outcome) => outcome.replace(|c: char| c.is_ascii_digit(), ""),
        Err(panic) => {
            keep();
            eprintln!("the target `{name}` failed on the input in {}", file.display());
            resume_unwind(panic)
        }
    }
}

/// One change of the kinds that find most.
fn change(input: &mut Vec<u8>, pool: &[Vec<u8>], words: &[&str], dice: &mut Dice) {
    let at = dice.place(input.len() + 1);
    let length = dice.place((input.len() - at).min(64) + 1);
    match dice.roll(8) {
        0 if at < input.len() => input[at] ^= 1 << dice.roll(8),
        1 if at < input.len() => input[at] = u8::try_from(dice.roll(256)).unwrap_or_default(),
        2 => drop(input.drain(at..at + length)),
        3 => {
            let bytes: Vec<u8> = (0..=dice.roll(4)).map(|_| (dice.roll(256) & 255) as u8).collect();
            input.splice(at..at, bytes);
        }
        4 if length > 0 => {
            // Now and then so often that what takes longer than it should is felt.
            let times = if dice.roll(16) == 0 { LONGEST / length } else { dice.place(8) };
            let part = input[at..at + length].repeat(times);
            input.splice(at..at, part);
        }
        5 | 6 if !words.is_empty() => {
            input.splice(at..at + length.min(dice.place(8)), words[dice.place(words.len())].bytes());
        }
        _ => {
            let other = &pool[dice.place(pool.len())];
            let from = dice.place(other.len() + 1);
            let to = from + dice.place((other.len() - from).min(256) + 1);
            input.splice(at..at + length, other[from..to].iter().copied());
        }
    }
}
