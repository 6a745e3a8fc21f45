"""Tells users of services that end within a week. To be run once a day:

    0 7 * * *  BELLBOARD_URL=https://crm.example BELLBOARD_API_KEY=… python3 notify.py crm.db

Each notification has an Idempotency-Key of the service and its last day, so a run that broke off, or a second one on
the same day, tells nobody twice. It ends with 1 where something could not be sent; the next run tries that again.
"""

import json
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.request

EXPIRING = """
SELECT s.service_id, s.service_name, s.end_date, c.user_id,
       CAST(julianday(s.end_date) - julianday(:today) AS INTEGER) AS days
  FROM services s
  JOIN contacts c ON c.customer_id = s.customer_id
 WHERE s.end_date BETWEEN :today AND date(:today, '+7 days') AND s.deleted = 0
 ORDER BY s.end_date, s.service_id, c.user_id
"""


def send(body, key):
    """Sends a notification; says whether it is stored, now or before."""
    request = urllib.request.Request(
        os.environ["BELLBOARD_URL"].rstrip("/") + "/crm/notification/send",
        data=json.dumps(body).encode(),
        headers={
            "Content-Type": "application/json",
            "X-API-KEY": os.environ["BELLBOARD_API_KEY"],
            "Idempotency-Key": f'"{key}"',
        },
    )
    for wait in (1, 5, None):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return "before" if answer.headers.get("Idempotency-Replayed") else "now"
        except urllib.error.HTTPError as error:
            if wait is None or error.code not in (429, 500, 503):
                print(f"user {body['user_id']}: {error.code} {error.read().decode()}", file=sys.stderr)
                return None
            # The gateway says seconds; what stands between may say a date.
            after = error.headers.get("Retry-After", "")
            wait = min(int(after), 60) if after.isdecimal() else wait
        except OSError as error:
            if wait is None:
                print(f"user {body['user_id']}: {error}", file=sys.stderr)
                return None
        time.sleep(wait)


def main(database, today):
    counts = {"now": 0, "before": 0, None: 0}
    with sqlite3.connect(database) as connection:
        for service, name, end, user, days in connection.execute(EXPIRING, {"today": today}):
            when = {0: "today", 1: "tomorrow"}.get(days, f"in {days} days")
            body = {
                "user_id": user,
                "type": "service_expiring",
                "title": f"{name} ends {when}",
                "message": f"{name} ends on {end}.",
                "link": f"/services/{service}",
                "metadata": {"service_id": service, "days_remaining": days, "expiry_date": end},
            }
            # The day is in it: who renews is not told, who does not is told each day.
            counts[send(body, f"service-expiry:{service}:{user}:{end}:{today}")] += 1
    print(f"{counts['now']} sent, {counts['before']} sent before, {counts[None]} failed")
    return 1 if counts[None] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else time.strftime("%Y-%m-%d")))
