//! Small corrections of what the framework writes, for the generators of clients that read it.

use serde_json::{Map, Value, json};

use crate::{domain::Limits, registry};

/// Drops what says nothing, and writes what generators take in two ways in the one they all know.
pub fn simplify(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Object(object) => {
            drop_empty(object);
            match object.get("format").and_then(Value::as_str) {
                Some("uint32") => object.insert("format".into(), "int32".into()),
                Some("uint64") => object.insert("format".into(), "int64".into()),
                _ => None,
            };
            whole_bounds(object);
            one_reference(object);
            if let Some(Value::String(text)) = object.get_mut("description") {
                *text = unwrapped(text);
            }
            object.values_mut().for_each(simplify);
        }
        _ => {}
    }
}

fn drop_empty(object: &mut Map<String, Value>) {
    for (name, idle) in [("deprecated", Value::Bool(false)), ("explode", Value::Bool(true))] {
        if object.get(name) == Some(&idle) {
            object.shift_remove(name);
        }
    }
}

/// `1.0` as the bound of an integer is `1`.
fn whole_bounds(object: &mut Map<String, Value>) {
    for name in ["minimum", "maximum"] {
        if let Some(bound) = object.get_mut(name)
            && let Some(number) = bound.as_f64()
            && number.fract() == 0.0
        {
            *bound = Value::from(number as i64);
        }
    }
}

/// A described reference is `allOf` of it alone: of what stands beside it some generators make a second model.
fn one_reference(object: &mut Map<String, Value>) {
    if let Some(Value::Array(parts)) = object.get_mut("allOf") {
        parts.retain(|part| part.get("$ref").is_some());
    }
}

/// Each paragraph in one line: the lines are those of the code.
fn unwrapped(text: &str) -> String {
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

/// JSON lines are a stream of bytes for generators, which would read or write a single line otherwise. A line's schema
/// stands beside it, under the name that OpenAPI 3.2 has for it.
pub fn lines(document: &mut Value) {
    let mut schemas = document["components"]["schemas"].take();
    super::for_each_operation(document, |operation| {
        if let Some(body) = operation.get_mut("requestBody") {
            one_line(body, &mut schemas);
        }
        for answer in operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
            one_line(answer, &mut schemas);
        }
    });
    document["components"]["schemas"] = schemas;
}

fn one_line(holder: &mut Value, schemas: &mut Value) {
    for name in ["application/x-ndjson", "application/octet-stream"] {
        let Some(media) = holder.get_mut("content").and_then(|content| content.get_mut(name)) else {
            continue;
        };
        let line = media["schema"]["$ref"].as_str().and_then(|path| path.rsplit('/').next());
        let line = line.and_then(|line| schemas.as_object_mut()?.shift_remove(line));
        media["x-itemSchema"] = line.unwrap_or_default();
        media["schema"] = json!({"type": "string", "format": "binary"});
    }
}

/// Optional fields of requests may be `null`, which counts as absent.
pub fn nullable_requests(document: &mut Value) {
    for (name, schema) in document["components"]["schemas"].as_object_mut().into_iter().flatten() {
        if !(name.ends_with("Request") || name == "ImportLine") {
            continue;
        }
        let required: Vec<String> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        for (field, property) in schema["properties"].as_object_mut().into_iter().flatten() {
            if !required.contains(field) {
                property["nullable"] = true.into();
            }
        }
    }
}

/// The configured limits in place of the default ones.
pub fn limits(document: &mut Value, limits: &Limits) {
    for name in ["SendRequest", "SendBatchRequest"] {
        let fields = &mut document["components"]["schemas"][name]["properties"];
        fields["title"]["maxLength"] = limits.title.into();
        fields["message"]["maxLength"] = limits.message.into();
        fields["link"]["maxLength"] = limits.link.into();
        // Without it a generator of Python names the type after the place of `null` beside it.
        fields["metadata"]["title"] = "Metadata".into();
    }
    let batch = &mut document["components"]["schemas"]["SendBatchRequest"];
    batch["description"] = format!(
        "Sends: `items`, or one notification to many `user_ids`. The whole body is at most {0} bytes; one to many \
         counts for each of them.",
        limits.batch_bytes
    )
    .into();
    for list in ["items", "user_ids"] {
        batch["properties"][list]["maxItems"] = limits.batch_items.into();
    }
    let request = &mut document["components"]["schemas"]["SendRequest"];
    let fields = &mut request["properties"];
    fields["metadata"]["description"] = format!(
        "Structured data, kept as sent: at most {} bytes, nested at most {} levels deep. The type's schema, as \
         the list of types shows it, describes it.",
        limits.metadata_bytes, limits.metadata_depth
    )
    .into();
    request["description"] =
        format!("A notification to send; the whole body is at most {} bytes.", limits.body_bytes).into();
}

/// The standard types as examples of what `type` can say: a site may add its own at any time, so
/// the list is open.
pub fn known_types(document: &mut Value) {
    let mut names: Vec<_> = registry::standard().into_iter().map(|folder| folder.name).collect();
    names.sort_unstable();
    let field = &mut document["components"]["schemas"]["SendRequest"]["properties"]["type"];
    field["description"] = format!(
        "The notification's type. The standard ones are {}; a site may have more, and \
         `GET /crm/notification/types` lists those that the caller may use.",
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    )
    .into();
    field["x-extensible-enum"] = names.into();
}

/// The good answer of a send may be one that was given before.
pub fn send(document: &mut Value) {
    let send = format!("{}/send", super::super::PREFIX);
    let answers = &mut document["paths"][send]["post"]["responses"];
    answers["201"]["headers"]["Idempotency-Replayed"] = super::header("IdempotencyReplayed");
}

/// The answers to a deletion say for how long it can be taken back.
pub fn deletions(document: &mut Value) {
    for (path, method) in [("/{id}", "delete"), ("/delete", "post")] {
        let operation = &mut document["paths"][format!("{}{path}", super::super::PREFIX)][method];
        operation["responses"]["200"]["headers"]["X-Restorable-For"] = super::header("RestorableFor");
    }
}

/// The answers that say where in the inbox's history they are from, and the stream that goes on from there.
pub fn stream(document: &mut Value) {
    let prefix = super::super::PREFIX;
    let mut put = |path: &str, name: &str, header: &str| {
        let answer = &mut document["paths"][format!("{prefix}{path}")]["get"]["responses"]["200"];
        answer["headers"][name] = super::header(header);
    };
    put("", "X-Event-Id", "EventId");
    put("/unread-count", "X-Event-Id", "EventId");
    put("/stream", "Cache-Control", "CacheControl");
    put("/stream", "X-Accel-Buffering", "AccelBuffering");
    document["paths"][format!("{prefix}/stream")]["get"]["responses"]["200"]["description"] =
        "Events, one after the other, without end. The schema shows one.".into();
}
