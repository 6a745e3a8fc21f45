//! Errors as problem details, in the document.

use serde_json::{Map, Value, json};

use crate::{
    domain::{Code, ProblemCode},
    http::error::CODES_PATH,
};

/// The fields that only problem details have. They stand in the one schema of all errors: most generators take one type
/// of error in an operation, and those that take two make each error a choice that every caller must take apart.
pub fn add_schemas(schemas: &mut Value) {
    let text = |description: &str| json!({"type": "string", "description": description});
    schemas["ErrorProblem"] = json!({
        "type": "object", "title": "ErrorProblem", "description": "One thing that is wrong with a request.",
        "required": ["code", "detail"],
        "properties": {
            "code": {
                "type": "string", "description": "What kind of problem it is; there may be more of them.",
                "x-extensible-enum": ProblemCode::ALL,
            },
            "field": text("Where in the body it is: a JSON pointer."),
            "parameter": text("The parameter of the path, the query or the headers that it is about."),
            "detail": text("What is wrong, in a sentence."),
        },
    });
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let own = json!({
        "type": {
            "type": "string", "format": "uri-reference",
            "description": "Names the kind of error, and leads to its description.",
        },
        "title": text("The kind of error in a few words."),
        "status": {"type": "integer", "format": "int32", "description": "The answer's status."},
        "detail": text("Why, in a sentence."),
        "code": {
            "type": "string", "description": "Names the kind of error in one word; there may be more of them.",
            "x-extensible-enum": codes,
        },
        "request_id": text("The request's id, as the gateway's log has it."),
        "problems": {
            "type": "array", "maxItems": 20, "items": {"$ref": "#/components/schemas/ErrorProblem"},
            "description": "All that is wrong with the request, where it can be told part by part.",
        },
    });
    // An item of a batch has the same two, whatever its client asks for.
    schemas["BatchResult"]["properties"]["code"] = own["code"].clone();
    schemas["BatchResult"]["properties"]["problems"] = own["problems"].clone();
    schemas["BatchResult"]["properties"]["problems"]["description"] =
        "All that is wrong with the item, where it can be told part by part; each `field` points into the item.".into();
    if let (Value::Object(own), Some(fields)) = (own, schemas["ErrorBody"]["properties"].as_object_mut()) {
        fields.extend(own);
    }
}

/// An example of such a body.
pub fn example(status: u16, code: Code, reason: &str) -> Value {
    let mut example = Map::new();
    let mut put = |name: &str, value: Value| example.insert(name.to_owned(), value);
    put("type", format!("{CODES_PATH}#{}", code.as_str()).into());
    put("title", code.title().into());
    put("status", status.into());
    put("detail", reason.into());
    put("code", code.as_str().into());
    put("request_id", "9f2c4e7a1b3d5f6071829304".into());
    if code == Code::InvalidFields {
        put("problems", json!([{"code": ProblemCode::Required, "field": "/title", "detail": reason}]));
    }
    example.into()
}
