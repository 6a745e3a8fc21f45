//! The stack that a schema takes: no shape of a schema that is accepted may overflow it, at the deepest metadata.
//!
//! An overflow ends the process, so each shape is tried in a child.

use std::{
    env,
    process::{Command, Stdio},
};

use bellboard_builtin::COMPONENTS;
use bellboard_sdk::{Component, Context, Draft, Metadata, Problems, Resources};
use serde_json::{Map, Value, json};

/// Numbers without pattern, the same in every run: an xorshift generator.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(7919).wrapping_add(1))
    }

    /// The place of one among so many.
    fn place(&mut self, of: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % of as u64).expect("below a usize")
    }
}

/// Tells the child which shapes are its.
const SHAPES: &str = "BELLBOARD_FUZZ_SHAPES";
/// Shapes that one child tries.
const SHARE: u64 = 20;
/// Where a schema is used on the value itself.
const IN_PLACE: [&str; 12] = [
    "$ref",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "$dynamicRef",
    "unevaluated",
    "siblings",
];
/// Where a schema is used on what the value holds.
const BELOW: [&str; 6] =
    ["properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "items", "contains"];

/// One keyword that leads to a schema, on the value itself or on what it holds.
fn step(keyword: &str, target: Value, number: usize) -> Value {
    match keyword {
        "$ref" => target,
        "allOf" | "anyOf" | "oneOf" => json!({keyword: [target]}),
        "not" => json!({"not": {"not": target}}),
        "if" => json!({"if": target, "else": false}),
        "then" => json!({"if": true, "then": target}),
        "else" => json!({"if": false, "else": target}),
        "dependentSchemas" => json!({"dependentSchemas": {"a": target, "b": target}}),
        "$dynamicRef" => match target["$ref"].as_str() {
            Some(to) => json!({"$dynamicRef": to, "$dynamicAnchor": format!("n{number}")}),
            None => json!({"allOf": [target], "$dynamicAnchor": format!("n{number}")}),
        },
        "unevaluated" => json!({"anyOf": [target], "unevaluatedProperties": true, "unevaluatedItems": true}),
        "siblings" => json!({"allOf": [true], "oneOf": [false, target], "minProperties": 0}),
        "properties" => json!({"properties": {"a": target}, "items": target}),
        "patternProperties" => json!({"patternProperties": {"^a": target}, "prefixItems": [target]}),
        "additionalProperties" => json!({"additionalProperties": target, "items": target}),
        "unevaluatedProperties" => json!({"unevaluatedProperties": target, "unevaluatedItems": target}),
        "items" => {
            json!({"properties": {"a": {"items": target}}, "additionalProperties": false, "items": target})
        }
        _ => json!({"properties": {"a": target}, "contains": target, "dependentRequired": {"a": []}}),
    }
}

fn to(number: usize) -> Value {
    json!({"$ref": format!("#/$defs/d{number}")})
}

/// Schemas one within the other, as deep as a file may nest.
fn nested(seed: u64) -> Value {
    let mut dice = Dice::new(seed);
    let keyword = IN_PLACE[usize::try_from(seed).expect("a place") % IN_PLACE.len()];
    let mut schema = step(BELOW[dice.place(BELOW.len())], json!({"$ref": "#"}), 0);
    let deeper = |schema: &Value| {
        let deeper = step(keyword, schema.clone(), 0);
        let text = deeper.to_string();
        let fits = text.matches('{').count() < 490 && serde_json::from_str::<Value>(&text).is_ok();
        fits.then_some(deeper)
    };
    while let Some(deeper) = deeper(&schema).filter(|_| keyword != "$ref") {
        schema = deeper;
    }
    schema
}

/// A chain of schemas that leads back to its beginning one level further down.
fn shape(seed: u64) -> Value {
    let mut dice = Dice::new(seed);
    // One keyword alone, or all that there are.
    let alone = IN_PLACE.get(usize::try_from(seed).expect("a place")).copied();
    let mut definitions = Map::new();
    let (mut objects, mut number) = (8, 0);
    while objects < 485 {
        let keyword = alone.unwrap_or_else(|| IN_PLACE[dice.place(IN_PLACE.len())]);
        let made = step(keyword, to(number + 1), number);
        objects += made.to_string().matches('{').count();
        definitions.insert(format!("d{number}"), made);
        number += 1;
    }
    let below = step(BELOW[dice.place(BELOW.len())], to(0), number);
    definitions.insert(format!("d{number}"), below);
    json!({"$ref": "#/$defs/d0", "$defs": definitions, "type": ["object", "array", "string"]})
}

/// Metadata of the greatest depth; what stands innermost is right or wrong.
fn deepest(lists: bool, innermost: &str) -> String {
    let levels = Metadata::MAX_DEPTH - 1;
    let (open, close) = if lists { ("[", "]") } else { (r#"{"a":"#, "}") };
    format!(r#"{{"a":{}{innermost}{}}}"#, open.repeat(levels), close.repeat(levels))
}

fn try_shape(seed: u64) {
    for schema in [shape(seed), nested(seed)] {
        try_schema(&schema);
    }
}

fn try_schema(schema: &Value) {
    let builder = COMPONENTS.iter().find(|builder| builder.name == "json_schema").expect("a component");
    let built = (builder.build)(json!({"schema": schema}), &Resources::default());
    let Component::Validator(validator) = built.unwrap_or_else(|error| panic!("{error}: {schema}")) else {
        panic!("no validator")
    };
    for (lists, innermost) in [(false, r#""x""#), (false, "1"), (true, r#""x""#), (true, "1")] {
        let metadata = Metadata::parse(deepest(lists, innermost)).expect("an object");
        let draft = Draft { metadata: Some(metadata), ..Draft::default() };
        let mut problems = Problems::default();
        validator.validate(&draft, &Context { now: 0 }, &mut problems);
    }
}

#[test]
#[ignore = "the child of another test"]
fn some_shapes() {
    let first: u64 = env::var(SHAPES).expect("the first shape").parse().expect("a number");
    for seed in first..first + SHARE {
        println!("shape {seed}");
        try_shape(seed);
    }
}

#[test]
fn no_schema_overflows_the_stack() {
    let rounds: u64 =
        env::var("BELLBOARD_FUZZ_ROUNDS").ok().map_or(40, |rounds| rounds.parse().expect("a number"));
    for first in (0..rounds).step_by(usize::try_from(SHARE).expect("a step")) {
        let child = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "some_shapes", "--ignored", "--nocapture"])
            .env(SHAPES, first.to_string())
            .stderr(Stdio::piped())
            .output()
            .expect("a child");
        let (out, err) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
        assert!(child.status.success(), "after {}: {err}", out.lines().last().unwrap_or_default());
    }
}
