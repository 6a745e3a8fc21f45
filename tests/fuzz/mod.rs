//! What comes from outside, changed at random: no reader of it may panic, say without end what is wrong, or take for good
//! what is not.
//!
//! Each target has a corpus under `corpus/`, and more is bred from it (`breed`). A failure's input is kept in a file; put it
//! into the corpus with what mends it. To go on for longer, or elsewhere:
//!
//! ```sh
//! BELLBOARD_FUZZ_ROUNDS=1000000 BELLBOARD_FUZZ_SEED=2 cargo test --test main -- fuzz::
//! ```
//!
//! A stack that overflows is the end of the process: with `BELLBOARD_FUZZ_KEEP=1` each input is in its file before it is tried.

mod breed;
mod config;
mod hook;
mod place;
mod send;
mod signature;
mod token;
mod types;
