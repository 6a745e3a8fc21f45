//! Builds again when a file is added to a folder that the binary holds.

fn main() {
    println!("cargo::rerun-if-changed=plugins/types");
    println!("cargo::rerun-if-changed=plugins/hooks");
    println!("cargo::rerun-if-changed=plugins/new");
}
