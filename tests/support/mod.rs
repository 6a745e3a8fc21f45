//! What the integration tests share: a running gateway, and short ways to ask it things.

pub mod answer;
pub mod api;
pub mod daemon;
pub mod dice;
pub mod gateway;
pub mod haproxy;
pub mod issuer;
pub mod pooler;
pub mod postgres;
pub mod prometheus;
pub mod proxy;
pub mod raw;
pub mod replica;
pub mod settings;
pub mod stream;
pub mod token;
pub mod tool;

pub use answer::Answer;
pub use api::Api;
pub use dice::Dice;
pub use gateway::Gateway;
pub use token::Token;
pub use tool::Tool;

use std::path::{Path, PathBuf};

/// Returns the path of a tool that `bash tests/run` installs under `target/tests`.
pub fn installed(name: &str) -> PathBuf {
    let target =
        Path::new(env!("CARGO_BIN_EXE_bellboard")).ancestors().nth(2).expect("target/debug/bellboard");
    let path = target.join("tests").join(name);
    assert!(path.exists(), "{path:?} does not exist: `bash tests/run --only \"Rust tests\"` installs it");
    path
}
