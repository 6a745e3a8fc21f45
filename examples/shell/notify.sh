#!/bin/sh
# notify.sh USER TITLE [MESSAGE]: sends a notification from a shell, a cron job or a systemd unit's OnFailure=.
# BELLBOARD_URL is the gateway, BELLBOARD_API_KEY a key that may send. Needs curl, and jq to write the JSON.
set -eu
jq -n --arg user "$1" --arg title "$2" --arg message "${3:-}" \
    '{user_id: ($user | tonumber), type: "custom", title: $title, message: $message}' |
    curl -fsS --retry 3 "$BELLBOARD_URL/crm/notification/send" -o /dev/null --data-binary @- \
        -H "X-API-KEY: $BELLBOARD_API_KEY" -H "Content-Type: application/json" \
        -H "Idempotency-Key: $(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" # what is tried again is stored once
