"""Sends, reads and fails with the client that openapi-generator makes for Python."""

import os

from bellboard import ApiClient, Configuration, InboxApi, SendingApi, SendRequest
from bellboard.exceptions import (
    ApiException, BadRequestException, ForbiddenException, NotFoundException, UnauthorizedException,
)
from bellboard.models import ErrorBody

URL = os.environ["BELLBOARD_URL"]
USER = int(os.environ["BELLBOARD_USER"])


def sender(key: str) -> SendingApi:
    return SendingApi(ApiClient(Configuration(host=URL, api_key={"ApiKey": key})))


def send(api: SendingApi, request: SendRequest):
    try:
        return api.send_notification(request).notification
    except ApiException as error:
        body: ErrorBody = error.data
        print(error.status, body.reason or body.message)
        raise


def refused(status: int, kind: type, key: str, request: SendRequest) -> None:
    try:
        send(sender(key), request)
    except kind as error:
        assert error.status == status and isinstance(error.data, ErrorBody), error
        if status == 429:
            assert int(error.headers["Retry-After"]) >= 1
    else:
        raise AssertionError(f"{status} did not come")


invoice = SendRequest(
    user_id=USER, type="billing_invoice", title="Your invoice", metadata={"invoice_id": 3021, "amount": 49.9}
)
sent = send(sender(os.environ["BELLBOARD_KEY"]), invoice)
print("stored as", sent.notification_id)
assert sent.metadata == invoice.metadata and sent.created_at.utcoffset() is not None

inbox = InboxApi(ApiClient(Configuration(host=URL, access_token=os.environ["BELLBOARD_TOKEN"])))
page = inbox.list_notifications(unread=True)
assert [n.notification_id for n in page.notifications] == [sent.notification_id]
assert page.notifications[0].severity == "info" and page.unread_count == 1
assert inbox.get_unread_count().unread_count == 1
assert inbox.mark_read(sent.notification_id).notification.is_read
assert inbox.get_unread_count().unread_count == 0
assert inbox.delete_notification(sent.notification_id).result == "Success"
assert inbox.list_notifications().notifications == []

key = os.environ["BELLBOARD_KEY"]
refused(400, BadRequestException, key, SendRequest(user_id=USER, type="custom", title=" "))
problems = sender(key)
problems.api_client.set_default_header("Accept", "application/problem+json")
try:
    problems.send_notification(SendRequest(user_id=USER, type="custom", title=" "))
except BadRequestException as error:
    print(error.status, error.data.code, [each.var_field for each in error.data.problems])
    assert (error.data.code, error.data.problems[0].var_field) == ("invalid_fields", "/title")
else:
    raise AssertionError("400 did not come")
refused(401, UnauthorizedException, "no key at all", invoice)
refused(403, ForbiddenException, os.environ["BELLBOARD_POOR_KEY"], invoice)
refused(404, NotFoundException, key, SendRequest(user_id=999, type="custom", title="t"))
mean = sender(os.environ["BELLBOARD_MEAN_KEY"])
try:
    while mean.send_notification(invoice):
        pass
except ApiException as error:
    assert error.status == 429, error
refused(429, ApiException, os.environ["BELLBOARD_MEAN_KEY"], invoice)
