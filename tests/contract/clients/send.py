"""Sends as Python integrations do, with requests; prints what was sent, each status and body as a line of JSON."""

import datetime
import json
import os
import sys

import requests

URL = os.environ["BASE"] + "/crm/notification/send"
KEY = os.environ["KEY"]


def send(body):
    answer = requests.post(URL, headers={"X-API-KEY": KEY}, json=body)
    print(json.dumps({"status": answer.status_code, "body": answer.json(), "sent": body}))


def one():
    headers = {"Content-Type": "application/json", "X-API-KEY": KEY}
    body = {"user_id": 123, "type": "provision_complete", "title": "Line is up"}
    body["message"] = "Line 31 can be used from now on"
    body["link"] = "/services/31"
    body["metadata"] = {"service_id": 31, "provision_job_id": "job-2026-0007", "duration_seconds": 12}
    answer = requests.post(URL, headers=headers, json=body)
    answer.raise_for_status()
    print(json.dumps({"status": answer.status_code, "body": answer.json()}))


def playbook(service, user, success):
    """An Ansible playbook has come to its end."""
    send({
        "user_id": user,
        "type": "provision_complete" if success else "provision_failed",
        "title": "Line is up" if success else "Line could not be set up",
        "message": f"The playbook for line {service} has ended",
        "link": f"/services/{service}",
        "metadata": {"service_id": service, "playbook": "line_activation", "success": success},
    })


def invoice(user, number, amount, due):
    """A billing system has made an invoice. Its number may be one or a text, and its amount too."""
    send({
        "user_id": user,
        "type": "billing_invoice",
        "title": f"Invoice #{number}",
        "message": f"${amount} is due on {due}",
        "link": f"/invoices/{number}",
        "metadata": {"invoice_id": number, "amount": amount, "due_date": due, "customer_id": 77},
    })


def alert(users):
    """A monitoring system raises an alert; its time has no zone, its title an emoji."""
    for user in users:
        send({
            "user_id": user,
            "type": "system_alert",
            "title": "⚠️ Disk nearly full",
            "message": "The database's disk is at 91%",
            "metadata": {
                "severity": "warning",
                "alert_time": datetime.datetime.now().isoformat(),
                "source": "alertmanager",
            },
        })


def payment(event):
    """A payment gateway's webhook passes on what it was told."""
    send({
        "user_id": event["user_id"],
        "type": "billing_payment",
        "title": "Thank you",
        "message": f"Your payment of ${event['amount']} has arrived",
        "link": f"/payments/{event['payment_id']}",
        "metadata": {name: event[name] for name in ("payment_id", "amount", "payment_method")},
    })


def expiry(user, service, end):
    """A daily job looks for services that are about to end; their date comes from the database."""
    days = (end - datetime.date.today()).days
    send({
        "user_id": user,
        "type": "service_expiring",
        "title": f"Ends in {days} days",
        "message": f"Line {service} ends on {end}",
        "link": f"/services/{service}",
        "metadata": {"service_id": service, "days_remaining": days, "expiry_date": str(end)},
    })


def integrations():
    playbook(31, 5, True)
    playbook(31, 5, False)
    invoice(2, "INV-2026-0042", 99.5, "2026-02-01")
    invoice(3, 4711, "1250.00", "2026-02-01")
    alert([1, 2, 3])
    payment({"user_id": 3, "amount": 12.5, "payment_id": "pay_8", "payment_method": "card"})
    expiry(5, 31, datetime.date.today() + datetime.timedelta(days=3))


{"one": one, "integrations": integrations}[sys.argv[1]]()
