//! The command line of Bellboard.

fn main() {}
