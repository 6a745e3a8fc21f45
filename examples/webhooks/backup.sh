#!/bin/sh
# backup.sh COMMAND…: runs a backup, and tells `ops` how it went. BELLBOARD_HOOK is the hook's URL, such as
# https://crm.example/crm/notification/hooks/backup, and BACKUP_TOKEN its secret. Needs curl.
set -u
if "$@"; then
    code=0 severity=success title="Backup of $(uname -n) done"
else
    code=$? severity=error title="Backup of $(uname -n) failed"
fi
# Its id says which run it was, so what is tried again is stored once.
curl -fsS --retry 3 "$BELLBOARD_HOOK" -o /dev/null \
    -H "Authorization: Bearer $BACKUP_TOKEN" -H "Content-Type: application/json" \
    -d "{\"recipient\": \"ops\", \"title\": \"$title\", \"severity\": \"$severity\", \"id\": \"$(uname -n)-$(date +%s)-$$\"}"
exit "$code"
