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
    # One key, two bodies.
    r"Idempotency-Key was used before with another body",
]


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """A site may add types, so the document's list is open; this gateway's is not."""
    kind = raw_schema["components"]["schemas"]["SendRequest"]["properties"]["type"]
    kind["enum"] = kind["x-extensible-enum"]


@schemathesis.check
def refused_by_a_rule_in_words(ctx, response, case):
    """Valid data is accepted, or refused for one of the rules above."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 422):
        return
    body = response.json()
    reason = body.get("detail") or body.get("reason")
    assert any(re.fullmatch(rule, reason) for rule in RULES), f"valid data was refused: {reason}"


@schemathesis.check
def the_error_is_in_the_form_that_was_asked_for(ctx, response, case):
    """The contract's bodies, or problem details with all their members."""
    if response.status_code < 400:
        return
    body = response.json()
    if "problem+json" in response.request.headers.get("Accept", ""):
        assert {"type", "title", "status", "detail", "code", "request_id"} <= body.keys(), body
    else:
        assert body.keys() == ({"message"} if response.status_code == 401 else {"result", "reason"}), body
