"""Tells a user in their inbox how a playbook went.

Ansible calls it as a callback plugin; ansible.cfg beside the playbook turns it on. It needs nothing but the standard
library, and a gateway that is away never fails a playbook: that is only told as a warning.

    BELLBOARD_URL       the gateway, such as https://crm.example
    BELLBOARD_API_KEY   a key that may send provision_complete and provision_failed

Whom it tells is said by the play's variables: bellboard_user_id, and if there is one bellboard_service_id.
"""

import json
import os
import time
import urllib.error
import urllib.request
import uuid

from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

DOCUMENTATION = """
name: bellboard
type: notification
short_description: tells a user how a playbook went
description: Sends a notification to the user whom the variable bellboard_user_id names.
"""

TRIES = 3


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "bellboard"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.started = time.monotonic()
        # Names the run: a send whose answer was lost can be sent again.
        self.job = str(uuid.uuid4())
        self.playbook = self.user = self.service = self.failure = None

    def v2_playbook_on_start(self, playbook):
        self.playbook = os.path.basename(playbook._file_name)

    def v2_playbook_on_play_start(self, play):
        variables = play.get_variable_manager().get_vars(play=play)
        templar = Templar(loader=play.get_loader(), variables=variables)
        self.user = templar.template(variables.get("bellboard_user_id", self.user))
        self.service = templar.template(variables.get("bellboard_service_id", self.service))

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self.failed(result, result._result.get("msg", "a task failed"))

    def v2_runner_on_unreachable(self, result):
        self.failed(result, "the host cannot be reached")

    def failed(self, result, why):
        # The last one counts: one before it may have been rescued.
        self.failure = f"{result._task.get_name()} on {result._host.get_name()}: {why}"

    def v2_playbook_on_stats(self, stats):
        if self.user is None:
            return
        # What was rescued has not failed.
        bad = any(stats.failures.get(host) or stats.dark.get(host) for host in stats.processed)
        subject = f"Service {self.service}" if self.service is not None else self.playbook
        body = {
            "user_id": int(self.user),
            "type": "provision_failed" if bad else "provision_complete",
            "title": f"{subject} could not be provisioned" if bad else f"{subject} is provisioned",
            "metadata": {
                "provision_job_id": self.job,
                "playbook": self.playbook,
                "duration_seconds": round(time.monotonic() - self.started),
                "success": not bad,
            },
        }
        if bad and self.failure:
            body["message"] = self.failure[:1000]
        if self.service is not None:
            body["link"] = f"/services/{self.service}"
            body["metadata"]["service_id"] = self.service
        self.send(body)

    def send(self, body):
        request = urllib.request.Request(
            os.environ["BELLBOARD_URL"].rstrip("/") + "/crm/notification/send",
            data=json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "X-API-KEY": os.environ["BELLBOARD_API_KEY"],
                "Idempotency-Key": f'"{self.job}"',
            },
        )
        for left in reversed(range(TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=10):
                    return
            except urllib.error.HTTPError as error:
                # Only what may be better later is tried again.
                if left == 0 or error.code not in (429, 500, 503):
                    return self._display.warning(f"bellboard: {error.code} {error.read().decode()}")
                # The gateway says seconds; what stands between may say a date.
                after = error.headers.get("Retry-After", "")
                time.sleep(min(int(after), 30) if after.isdecimal() else 1)
            except OSError as error:
                if left == 0:
                    return self._display.warning(f"bellboard: {error}")
                time.sleep(1)
