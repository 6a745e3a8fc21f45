//! Finds the name that a misspelt one is likely to mean.

/// The longest name that is compared, in characters.
const LONGEST: usize = 64;

/// Returns the known name that is closest to a misspelt one, if any is close. Case, `_` and `-` do not count:
/// `userId` is close to `user_id`.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.chars().count() > LONGEST {
        return None;
    }
    let name = plain(name);
    let distance = |known: &'a str| (strsim::osa_distance(&name, &plain(known)), known);
    let (distance, best) = known.into_iter().map(distance).min()?;
    (distance <= 2 && distance < best.len()).then_some(best)
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_recognised() {
        let known = ["server", "store", "tenants", "user_id"];
        for (name, wanted) in [
            ("tenant", Some("tenants")),
            ("sevrer", Some("server")),
            ("userId", Some("user_id")),
            ("unrelated", None),
            (&"s".repeat(10_000), None),
        ] {
            assert_eq!(closest(name, known), wanted, "{name}");
        }
    }
}
