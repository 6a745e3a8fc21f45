//! `expiry`: when the notification leaves the inbox by itself.

use bellboard_sdk::{Builder, Component, Context, Draft, Enricher, Problem, Resources};
use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::Offset,
};
use serde::Deserialize;
use serde_json::Value;

use crate::settings;

/// The entry in the list of components.
pub(crate) const BUILDER: Builder = Builder {
    name: "expiry",
    summary: "Lets the notification expire, after a time or at a date in metadata.",
    build,
};

/// What `type.yaml` says under the name: at least one of the two. The date wins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How long it stays: seconds, or a number with `s`, `m`, `h`, `d` or `w`, such as `7d`.
    ttl: Option<Value>,
    /// The key of metadata that holds the date: `2026-01-18` (the end of that day),
    /// `2026-01-18T14:30:00` (both UTC) or with a zone, as RFC 3339 writes it. One that is past,
    /// absent or no date does not count.
    from_metadata: Option<String>,
}

struct Expiry {
    /// Microseconds.
    ttl: Option<i64>,
    key: Option<String>,
}

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400;

fn build(settings: Value, _: &Resources) -> Result<Component, String> {
    let Settings { ttl, from_metadata } = settings::read(settings)?;
    if ttl.is_none() && from_metadata.is_none() {
        return Err("needs ttl or from_metadata".into());
    }
    let ttl = ttl.map(|ttl| seconds(&ttl)).transpose()?.map(|seconds| seconds * MICROS);
    Ok(Component::Enricher(Box::new(Expiry { ttl, key: from_metadata })))
}

/// Reads a duration of one second to ten years.
fn seconds(ttl: &Value) -> Result<i64, String> {
    let parsed = match ttl {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => {
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let unit = match &text[digits.len()..] {
                "" | "s" => Some(1),
                "m" => Some(60),
                "h" => Some(3600),
                "d" => Some(DAY),
                "w" => Some(7 * DAY),
                _ => None,
            };
            digits.parse::<i64>().ok().zip(unit).and_then(|(count, unit)| count.checked_mul(unit))
        }
        _ => None,
    };
    parsed
        .filter(|seconds| (1..=3650 * DAY).contains(seconds))
        .ok_or_else(|| "ttl must be seconds, or a number with s, m, h, d or w, up to 3650d".into())
}

/// Reads a date, in microseconds since 1970.
fn instant(text: &str) -> Option<i64> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_microsecond());
    }
    // A date and a time without a zone would also parse as a date alone.
    let day_only = text.len() <= "2026-01-18".len();
    let civil = if day_only {
        text.parse::<Date>().ok()?.tomorrow().ok()?.to_datetime(jiff::civil::Time::midnight())
    } else {
        text.parse::<DateTime>().ok()?
    };
    Some(Offset::UTC.to_timestamp(civil).ok()?.as_microsecond())
}

impl Enricher for Expiry {
    fn enrich(&self, draft: &mut Draft, context: &Context) -> Result<(), Problem> {
        let named = self
            .key
            .as_ref()
            .and_then(|key| draft.metadata.as_ref()?.get(key)?.as_str())
            .and_then(instant)
            .filter(|at| *at > context.now);
        let after = || self.ttl.map(|ttl| context.now.saturating_add(ttl));
        draft.expires_at = named.or_else(after).or(draft.expires_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{BUILDER, DAY, MICROS};
    use crate::testing::{NOW, draft, enrich, error};
    use serde_json::{Value, json};

    fn after(settings: Value, metadata: Value) -> Option<i64> {
        enrich(BUILDER, settings, draft(metadata)).expires_at.map(|at| (at - NOW) / MICROS)
    }

    #[test]
    fn a_time_to_live_counts_from_now() {
        for (ttl, seconds) in [
            (json!(90), 90),
            (json!("90"), 90),
            (json!("15m"), 900),
            (json!("7d"), 7 * DAY),
            (json!("1w"), 7 * DAY),
        ] {
            assert_eq!(after(json!({"ttl": ttl}), json!(null)), Some(seconds));
        }
    }

    #[test]
    fn a_date_wins_when_it_is_to_come() {
        let settings = json!({"ttl": "1d", "from_metadata": "until"});
        for (date, seconds) in [
            (json!("2026-01-11T14:31:00Z"), 60),
            (json!("2026-01-11T15:31:00+01:00"), 60),
            (json!("2026-01-11T14:31:00"), 60),
            (json!("2026-01-11 14:31:00.500"), 60),
            (json!("2026-01-11"), 34_200),
            (json!("2026-01-10"), DAY),
            (json!("soon"), DAY),
            (json!(1_768_141_860), DAY),
        ] {
            assert_eq!(after(settings.clone(), json!({"until": date})), Some(seconds), "{date}");
        }
        assert_eq!(after(json!({"from_metadata": "until"}), json!({"until": "2020-01-01"})), None);
    }

    #[test]
    fn settings_are_checked() {
        assert!(error(BUILDER, json!({})).contains("needs ttl or from_metadata"));
        for ttl in [
            json!("7 d"),
            json!("d"),
            json!(0),
            json!("-1d"),
            json!("9999999999999999w"),
            json!("3651d"),
            json!("1y"),
            json!([]),
        ] {
            assert!(error(BUILDER, json!({"ttl": ttl})).starts_with("ttl must be"), "{ttl}");
        }
    }
}
