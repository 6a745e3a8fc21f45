//! The OpenAPI document in itself: committed, without doubled keys, its examples good.

use std::{collections::HashSet, fmt, path::Path};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::schema::Schemas;
use crate::support::settings::*;

const COMMITTED: &str = "openapi/bellboard.json";

#[tokio::test]
async fn the_committed_document_is_the_served_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(COMMITTED);
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let answer = shared().get("/openapi.json").await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    let line = committed.lines().zip(answer.text.lines()).take_while(|(a, b)| a == b).count() + 1;
    assert!(
        committed == answer.text,
        "{COMMITTED} differs from the code's document from line {line} on. Where that is meant, run:\n\n  \
         cargo run --quiet -- openapi > {COMMITTED}\n"
    );
}

#[tokio::test]
async fn no_key_stands_twice() {
    let text = shared().get("/openapi.json").await.text;
    let mut reader = serde_json::Deserializer::from_str(&text);
    Unique.deserialize(&mut reader).expect("unique keys");
}

#[tokio::test]
async fn every_example_is_good() {
    let document = shared().get("/openapi.json").await.json();
    let schemas = Schemas::of(&document);
    let checked = examples(&document, &schemas, "#");
    assert!(checked >= 30, "only {checked} examples");
    // Each body and parameter has one.
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = &parameter["name"];
                assert!(parameter.get("example").is_some(), "{method} {path}: {name} has no example");
            }
            let responses = operation["responses"].as_object().expect("responses").values();
            for holder in responses.chain(operation.get("requestBody")) {
                for media in schemas.resolve(holder)["content"].as_object().into_iter().flatten() {
                    assert!(media.1.get("example").is_some(), "{method} {path}: {} has no example", media.0);
                }
            }
        }
    }
}

/// Checks each `example` beside a `schema`, and each in a schema of its own; gives how many.
fn examples(value: &Value, schemas: &Schemas, place: &str) -> usize {
    match value {
        Value::Object(object) => {
            let mut checked = 0;
            if let Some(example) = object.get("example") {
                let schema = object.get("schema").unwrap_or(value);
                schemas.check(schema, example, place);
                if let (Some(item), Some(lines)) = (object.get("x-itemSchema"), example.as_str()) {
                    for line in lines.lines() {
                        schemas.check(item, &serde_json::from_str(line).expect("JSON"), place);
                    }
                }
                checked = 1;
            }
            let deeper = object.iter().filter(|(name, _)| *name != "example");
            checked
                + deeper
                    .map(|(name, value)| examples(value, schemas, &format!("{place}/{name}")))
                    .sum::<usize>()
        }
        Value::Array(items) => items.iter().map(|item| examples(item, schemas, place)).sum(),
        _ => 0,
    }
}

#[tokio::test]
async fn generators_find_what_they_need() {
    let document = shared().get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.0.3");
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(
        (&schemes["ApiKey"]["name"], &schemes["ApiKey"]["in"]),
        (&"X-API-KEY".into(), &"header".into())
    );
    assert_eq!(schemes["Bearer"]["scheme"], "bearer");
    let send = &document["paths"]["/crm/notification/send"]["post"];
    let alternatives: Vec<&String> = send["security"]
        .as_array()
        .expect("alternatives")
        .iter()
        .flat_map(|scheme| scheme.as_object().expect("one").keys())
        .collect();
    assert_eq!(alternatives, ["ApiKey", "Bearer"]);
    let fields = &document["components"]["schemas"]["SendRequest"];
    assert_eq!(fields["required"], serde_json::json!(["user_id", "type", "title"]));
    assert_eq!(fields["properties"]["title"]["maxLength"], 255);
    assert_eq!(fields["properties"]["message"]["maxLength"], 10_000);
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            for field in ["operationId", "summary", "description"] {
                assert!(operation[field].is_string(), "{method} {path} has no {field}");
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{method} {path}: {parameter}");
            }
        }
    }
}

/// A client that was made from a closed list fails on what comes to it later.
#[tokio::test]
async fn no_list_of_words_is_closed() {
    let document = shared().get("/openapi.json").await.expect(200).json();
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        assert!(!schema.to_string().contains(r#""enum":"#), "{name}: {schema}");
    }
    let event = &document["components"]["schemas"]["StreamEvent"]["properties"]["event"];
    assert!(event["x-extensible-enum"].as_array().is_some_and(|names| names.len() >= 8), "{event}");
}

#[tokio::test]
async fn whatever_sent_can_be_named_wherever_a_sender_is() {
    let document = shared().get("/openapi.json").await.expect(200).json();
    let schemas = Schemas::of(&document);
    let listed = &document["paths"]["/crm/notification/sent"]["get"]["parameters"];
    let listed = listed.as_array().and_then(|all| all.iter().find(|p| p["name"] == "sender")).expect("one");
    let withdrawn = &document["components"]["schemas"]["WithdrawRequest"]["properties"]["sender"];
    for sender in ["key:2c26b46b68ff", "user:42", "hook:alerts"] {
        schemas.check(&listed["schema"], &sender.into(), "listSent");
        schemas.check(withdrawn, &sender.into(), "withdrawNotifications");
    }
}

/// Many generators take no more, or the first that they find.
#[tokio::test]
async fn an_operation_has_one_type_of_success_and_one_of_error() {
    let document = shared().get("/openapi.json").await.expect(200).json();
    let schemas = Schemas::of(&document);
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            for good in [true, false] {
                let answers = operation["responses"].as_object().expect("responses").iter();
                let types: HashSet<String> = answers
                    .filter(|(status, _)| status.starts_with('2') == good)
                    .flat_map(|(_, answer)| {
                        schemas.resolve(answer)["content"].as_object().into_iter().flatten()
                    })
                    .map(|(_, media)| media["schema"].to_string())
                    .collect();
                assert_eq!(types.len(), 1, "{method} {path}: {types:?}");
            }
        }
    }
}

/// Walks any value and refuses doubled keys.
#[derive(Clone, Copy)]
struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(self).map_err(|e| A::Error::custom(format!("{name}: {e}")))?;
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format!("{name} stands twice")));
            }
        }
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
}
