"""What the document says in words, where a schema cannot or may not say it."""

import re

import schemathesis

# The only reasons for which a body that holds to its schema may be refused.
RULES = [
    # White space alone is no title, and a name has one line.
    r"title is required",
    r"display_name must be 1 to 255 characters on one line",
    r"link must (be a path of the site or an http\(s\) URL|not .*)(; .*)?",
    r"locale must be a language tag such as en or de-CH",
    r"time_zone must be the name of a time zone such as Europe/Zurich",
    r"metadata must (be at most \d+ bytes|nest at most \d+ levels deep)",
    r"since and until go with sender|since is required|Give one of ids, collapse_key and sender",
    r"Give either items or user_ids|type, title and so on stand in each of items",
    # Any object may be an event, but a mapping needs something to make a title from.
    r"title came to nothing: the event lacks what it is made from",
    # A closed list of fields would close what clients generate: the document leaves it open.
    r"(?s).* is unknown; (known: .*|did you mean .*\?)",
    # The document says so in words.
    r"title must not contain control characters",
    # One key, two bodies.
    r"Idempotency-Key was used before with another body",
]


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """A site may add types, so the document's list is open; this gateway's is not. A batch is one of two."""
    schemas = raw_schema["components"]["schemas"]
    kind = schemas["SendRequest"]["properties"]["type"]
    kind["enum"] = kind["x-extensible-enum"]
    batch = schemas["SendBatchRequest"]
    given, absent = {"not": {"enum": [None]}}, {"enum": [None]}
    to_many = ("user_ids", "type", "title")
    batch["oneOf"] = [
        {
            "required": ["items"],
            "properties": {name: given if name in ("items", "atomic") else absent for name in batch["properties"]},
        },
        {
            "required": [*to_many],
            "properties": {"items": absent, **{name: given for name in to_many}, "type": {"enum": kind["enum"]}},
        },
    ]


@schemathesis.check
def refused_by_a_rule_in_words(ctx, response, case):
    """Valid data is accepted, or refused for one of the rules above."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 422):
        return
    body = response.json()
    reason = body.get("detail") or body.get("reason")
    reason = re.sub(r"^Nothing was stored, as \d+ of \d+ items cannot be; item \d+: ", "", reason)
    assert any(re.fullmatch(rule, reason) for rule in RULES), f"valid data was refused: {reason}"


@schemathesis.check
def a_batch_tells_of_bad_items(ctx, response, case):
    """A batch with data that its schema refuses is refused, or its answer says which items were."""
    if case.meta is None or not case.meta.generation.mode.is_negative or response.status_code != 200:
        return
    if case.operation.definition.raw.get("operationId") == "sendBatch":
        assert response.json()["failed"] > 0, "a batch with bad data was stored whole"


@schemathesis.check
def the_error_is_in_the_form_that_was_asked_for(ctx, response, case):
    """The contract's bodies, or problem details with all their members."""
    if response.status_code < 400:
        return
    body = response.json()
    if "problem+json" in response.request.headers.get("Accept", ""):
        assert {"type", "title", "status", "detail", "code", "request_id"} <= body.keys(), body
    else:
        # Of a batch that is to be stored whole, each item's fault is told.
        assert body.keys() - {"results"} == ({"message"} if response.status_code == 401 else {"result", "reason"}), body
