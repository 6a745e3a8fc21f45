//! Reading the claims of a token.

use serde_json::{Map, Value};

/// All claims of a token by their names.
pub(super) type Claims = Map<String, Value>;

/// Returns the claim of exactly that name, which may hold dots or be a URL; else the one that the name leads to as a
/// path, each of whose dots may go into an object.
pub(super) fn find<'c>(claims: &'c Claims, name: &str) -> Option<&'c Value> {
    let exact = claims.get(name).filter(|value| !value.is_null());
    exact.or_else(|| {
        let inner = |dot: usize| find(claims.get(&name[..dot])?.as_object()?, &name[dot + 1..]);
        name.match_indices('.').find_map(|(dot, _)| inner(dot))
    })
}

/// A claim's text; some issuers number their tokens.
pub(super) fn text(value: &Value) -> Option<Box<str>> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}

/// A NumericDate: seconds since 1970, possibly with a fraction.
pub(super) fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_exact_name_goes_first_and_a_path_leads_into_objects() {
        let claims = json!({
            "a.b": 1, "a": {"b": 2, "c": {"d": 3}, "x.y": 4}, "https://crm.example/claims": {"id": 5},
            "https://crm.example/id": 6, "crm.example": {"id": 7}, "none": null, "none.id": 8, "text": "9",
        });
        let claims = claims.as_object().unwrap();
        for (name, value) in [
            ("a.b", 1),
            ("a.c.d", 3),
            ("a.x.y", 4),
            ("https://crm.example/claims.id", 5),
            ("https://crm.example/id", 6),
            ("crm.example.id", 7),
            ("none.id", 8),
        ] {
            assert_eq!(find(claims, name), Some(&json!(value)), "{name}");
        }
        for name in ["", ".", "a.", ".a", "a.c.d.e", "b", "none", "text.id", "a..b"] {
            assert_eq!(find(claims, name), None, "{name}");
        }
    }
}
