//! The standard components, one file each, in one explicit list.
//!
//! A file holds a component's settings, what it does, its [`Builder`] and its tests. To add a
//! component, write its file and name its builder in [`COMPONENTS`].

mod collapse_key;
mod excerpt;
mod expiry;
mod field;
mod json_schema;
mod link_template;
mod metadata_defaults;
mod metadata_size;
mod required_fields;
mod safe_link;
mod settings;
mod severity;
mod stack;
mod template;
#[cfg(test)]
mod testing;
mod text_length;
mod text_template;

use bellboard_sdk::Builder;

pub use template::{Data, DataTemplate, Writing};

/// Every component there is, validators first. The names are unique.
pub const COMPONENTS: &[Builder] = &[
    json_schema::BUILDER,
    required_fields::BUILDER,
    safe_link::BUILDER,
    text_length::BUILDER,
    metadata_size::BUILDER,
    metadata_defaults::BUILDER,
    link_template::BUILDER,
    text_template::BUILDER,
    severity::BUILDER,
    expiry::BUILDER,
    collapse_key::BUILDER,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_every_component_says_what_it_does() {
        let names: BTreeSet<_> = super::COMPONENTS.iter().map(|b| b.name).collect();
        assert_eq!(names.len(), super::COMPONENTS.len());
        assert!(super::COMPONENTS.iter().all(|b| b.summary.ends_with('.')));
    }
}
