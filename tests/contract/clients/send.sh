#!/usr/bin/env bash
# Sends as a shell script does, with curl; prints each status and body as one line of JSON.
set -euo pipefail

post() {
    local key=$1
    shift
    curl --silent --show-error -X POST "${BASE}/crm/notification/send" \
        -H "X-API-KEY: ${key}" -H "Content-Type: application/json" \
        -w '\n{"status": %{http_code}}\n' "$@" |
        jq --slurp --compact-output '{status: .[1].status, body: .[0]}'
}

# A body over several lines, from a heredoc.
post "$KEY" -d @- <<'BODY'
{
    "user_id": 123,
    "type": "provision_complete",
    "title": "Line is up",
    "message": "Line 31 can be used from now on",
    "link": "/services/31",
    "metadata": {
        "service_id": 31,
        "provision_job_id": "job-2026-0007",
        "duration_seconds": 12
    }
}
BODY

# One in quotes, without metadata.
post "$KEY" -d '{
    "user_id": 123,
    "type": "provision_complete",
    "title": "Line is up",
    "message": "Line 31 can be used from now on",
    "link": "/services/31"
}'

# To try a key.
post "$KEY" -d '{"user_id": 1, "type": "custom", "title": "A try", "message": "Does the key work?"}'

# What goes wrong first.
post "not-a-key-that-anyone-has-configured" -d '{"user_id": 1, "type": "custom", "title": "A try"}'
post "$KEY" -d '{"type": "custom", "title": "A try"}'
post "$KEY" -d '{"user_id": 999, "type": "custom", "title": "A try"}'
