"""A stand-in for AWS KMS: a loopback proxy for moto, which is third-party code.

moto stores the keys and does the cryptography. The proxy enforces what moto does not (the state of
a key, the key that a blob names) and injects faults.
"""

import base64
import http.client
import json
import sys
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.harness.kms.faults import Fault, Faults, other
from tests.harness.kms.http import Handler, Quiet, serve
from tools.local.ports import HOST, stable_port
from tools.local.server import Server

REGION = "eu-central-2"
CREDENTIALS = "[default]\naws_access_key_id = AKIATEST\naws_secret_access_key = of the tests\n"
USE = ("Encrypt", "Decrypt")
KEY_ID_BYTES = 36  # moto's blobs begin with the key id
STATES = {
    "Disabled": ("DisabledException", "is disabled."),
    "PendingDeletion": ("KMSInvalidStateException", "is pending deletion."),
}
REFUSALS = {
    Fault.DENY: (400, "AccessDeniedException", "User is not authorized to perform this action."),
    Fault.THROTTLE: (400, "ThrottlingException", "Rate exceeded"),
    Fault.FAIL: (500, "KMSInternalException", "Internal error"),
}
Answer = tuple[int, dict[str, Any]]


class Moto(Server):
    """moto's server as a process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = stable_port(folder / "port.json")
        command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self.port)]
        super().__init__(folder, command, partial(_answers, self.port))


class AwsStandIn:
    def __init__(self, folder: Path, port: int = 0) -> None:
        self.moto = Moto(folder / "moto")
        self.moto.start()
        self.faults = Faults()
        self.credentials_file = folder / "credentials"
        self.credentials_file.write_text(CREDENTIALS)
        self._forgotten: set[str] = set()
        self.contexts: list[dict[str, str]] = []
        self._admin = boto3.client(
            "kms",
            region_name=REGION,
            endpoint_url=f"http://{HOST}:{self.moto.port}",
            aws_access_key_id="AKIATEST",
            aws_secret_access_key="of the tests",  # noqa: S106 - moto asks for none
            config=Config(retries={"total_max_attempts": 1}),
        )
        self._server = Quiet((HOST, port), self._handler())
        serve(self._server)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._server.server_port}"

    def add_key(self, origin: str = "AWS_KMS", **terms: str) -> str:
        made = self._admin.create_key(Origin=origin, **terms)
        return str(made["KeyMetadata"]["Arn"])

    def disable(self, arn: str) -> None:
        self._admin.disable_key(KeyId=_id(arn))

    def enable(self, arn: str) -> None:
        self._admin.enable_key(KeyId=_id(arn))

    def destroy(self, arn: str) -> None:
        self._admin.schedule_key_deletion(KeyId=_id(arn), PendingWindowInDays=7)

    def forget(self, arn: str) -> None:
        self._forgotten.add(arn)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.moto.stop()

    def _handler(self) -> type[Handler]:
        proxy = self

        class Proxy(Handler):
            faults = proxy.faults
            content_type = "application/x-amz-json-1.1"

            def do_POST(self) -> None:  # noqa: N802 - the name that the base calls
                body = self.read()
                if not self.broken():
                    target = self.headers["X-Amz-Target"]
                    status, answer = proxy.answer(target, body, dict(self.headers))
                    self.reply(status, answer)

        return Proxy

    def answer(self, target: str, body: bytes, headers: dict[str, str]) -> Answer:
        if self.faults.now in REFUSALS:
            status, code, message = REFUSALS[self.faults.now]
            return status, {"__type": code, "message": message}
        service, _, operation = target.partition(".")
        said = json.loads(body)
        self.contexts.append(said.get("EncryptionContext", {}))
        refusal = self._refusal(said, operation, partial(self._forward, service, headers))
        if refusal:
            code, message = refusal
            return HTTPStatus.BAD_REQUEST, {"__type": code, "message": message}
        status, answer = self._forward(service, headers, operation, body)
        return status, self._falsified(answer) if status == HTTPStatus.OK else answer

    def _refusal(self, said: dict[str, Any], operation: str, ask: Any) -> tuple[str, str] | None:
        """Return the refusal of a request that AWS refuses and moto accepts, else None."""
        key_id = said["KeyId"]
        if key_id in self._forgotten:
            return "NotFoundException", f"Key '{key_id}' does not exist"
        if operation not in USE:
            return None
        status, described = ask("DescribeKey", json.dumps({"KeyId": key_id}).encode())
        state = described["KeyMetadata"]["KeyState"] if status == HTTPStatus.OK else ""
        if state in STATES:
            code, what = STATES[state]
            return code, f"{key_id} {what}"
        if operation == "Decrypt":
            return _foreign(base64.b64decode(said["CiphertextBlob"]), key_id, ask)
        return None

    def _forward(
        self, service: str, headers: dict[str, str], operation: str, body: bytes
    ) -> Answer:
        connection = http.client.HTTPConnection(HOST, self.moto.port, timeout=10)
        sent = {
            name: value
            for name, value in headers.items()
            if name.lower() not in ("host", "content-length", "x-amz-target")
        }
        sent["X-Amz-Target"] = f"{service}.{operation}"
        connection.request("POST", "/", body, sent)
        answer = connection.getresponse()
        found = json.loads(answer.read())
        connection.close()
        return answer.status, found

    def _falsified(self, answer: dict[str, Any]) -> dict[str, Any]:
        if self.faults.now is Fault.OTHER_PLAINTEXT and "Plaintext" in answer:
            plaintext = base64.b64decode(answer["Plaintext"])
            return answer | {"Plaintext": base64.b64encode(other(plaintext)).decode()}
        if self.faults.now is Fault.OTHER_KEY:
            if "KeyMetadata" in answer:
                another = answer["KeyMetadata"] | {"Arn": _another(answer["KeyMetadata"]["Arn"])}
                return {"KeyMetadata": another}
            return answer | {"KeyId": _another(answer["KeyId"])}
        return answer


def _foreign(blob: bytes, key_id: str, ask: Any) -> tuple[str, str] | None:
    """Refuse a blob of another key, which may or may not exist."""
    named = blob[:KEY_ID_BYTES].decode("ascii", "replace")
    if key_id.endswith(named) and len(named) == KEY_ID_BYTES:
        return None
    status, _ = ask("DescribeKey", json.dumps({"KeyId": named}).encode())
    if status == HTTPStatus.OK and len(named) == KEY_ID_BYTES:
        return "IncorrectKeyException", "The key ID in the request does not identify a CMK that…"
    return "InvalidCiphertextException", ""


def _id(arn: str) -> str:
    """Return a key's id, the only form that moto accepts here."""
    return arn.rpartition("/")[2]


def _another(arn: str) -> str:
    return arn[:-4] + "beef"


def _answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection(HOST, port, timeout=2)
        connection.request("GET", "/moto-api/")
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
