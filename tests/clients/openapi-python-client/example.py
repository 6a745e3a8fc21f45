"""Sends, reads and fails with the client that openapi-python-client makes."""

import os
from http import HTTPStatus

from bellboard_client import AuthenticatedClient
from bellboard_client.api.inbox import delete_notification, get_unread_count, list_notifications, mark_read
from bellboard_client.api.sending import send_notification
from bellboard_client.models import ErrorBody, SendRequest, SendRequestMetadata

URL = os.environ["BELLBOARD_URL"]
USER = int(os.environ["BELLBOARD_USER"])


def sender(key: str) -> AuthenticatedClient:
    return AuthenticatedClient(URL, token=key, prefix="", auth_header_name="X-API-KEY")


def send(api: AuthenticatedClient, request: SendRequest):
    answer = send_notification.sync_detailed(client=api, body=request)
    if isinstance(answer.parsed, ErrorBody):
        print(int(answer.status_code), answer.parsed.reason or answer.parsed.message)
    else:
        print("stored as", answer.parsed.notification.notification_id)
    return answer


def refused(status: HTTPStatus, key: str, request: SendRequest) -> None:
    answer = send(sender(key), request)
    assert (answer.status_code, type(answer.parsed)) == (status, ErrorBody), answer
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        assert int(answer.headers["Retry-After"]) >= 1


metadata = SendRequestMetadata.from_dict({"invoice_id": 3021, "amount": 49.9})
invoice = SendRequest(user_id=USER, type_="billing_invoice", title="Your invoice", metadata=metadata)
sent = send(sender(os.environ["BELLBOARD_KEY"]), invoice).parsed.notification
assert sent.metadata.to_dict() == metadata.to_dict() and sent.created_at.utcoffset() is not None

reader = AuthenticatedClient(URL, token=os.environ["BELLBOARD_TOKEN"])
page = list_notifications.sync(client=reader, unread=True)
assert [n.notification_id for n in page.notifications] == [sent.notification_id]
assert page.notifications[0].severity == "info" and page.unread_count == 1
assert get_unread_count.sync(client=reader).unread_count == 1
assert mark_read.sync(sent.notification_id, client=reader).notification.is_read
assert get_unread_count.sync(client=reader).unread_count == 0
assert delete_notification.sync(sent.notification_id, client=reader).result == "Success"
assert list_notifications.sync(client=reader).notifications == []

key = os.environ["BELLBOARD_KEY"]
refused(HTTPStatus.BAD_REQUEST, key, SendRequest(user_id=USER, type_="custom", title=" "))
problems = sender(key).with_headers({"Accept": "application/problem+json"})
problem = send_notification.sync(client=problems, body=SendRequest(user_id=USER, type_="custom", title=" "))
print(problem.status, problem.code, [each.field for each in problem.problems])
assert (problem.code, problem.problems[0].field) == ("invalid_fields", "/title")
refused(HTTPStatus.UNAUTHORIZED, "no key at all", invoice)
refused(HTTPStatus.FORBIDDEN, os.environ["BELLBOARD_POOR_KEY"], invoice)
refused(HTTPStatus.NOT_FOUND, key, SendRequest(user_id=999, type_="custom", title="t"))
mean = sender(os.environ["BELLBOARD_MEAN_KEY"])
while send_notification.sync_detailed(client=mean, body=invoice).status_code == HTTPStatus.CREATED:
    pass
refused(HTTPStatus.TOO_MANY_REQUESTS, os.environ["BELLBOARD_MEAN_KEY"], invoice)
