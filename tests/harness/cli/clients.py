"""Calls of an ``Api``, embedded or on Kafka, that many tests make."""

import base64

from sixgate.api import Api, Json
from sixgate.data_folder.folder import Folder
from sixgate.remote_calls.unix_link import dial
from tests.harness.pipeline.embedded import ACCOUNT

ASK_S_MAX = 60


def ask(folder: Folder, raw: bytes) -> bytes:
    """Send bytes to a node's socket and return the whole response."""
    with dial(folder.socket) as link:
        link.settimeout(ASK_S_MAX)
        link.sendall(raw)
        return b"".join(iter(lambda: link.recv(65_536), b""))


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """Return an HTTP request whose connection closes after the response."""
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def status_and_body(response: bytes) -> tuple[int, bytes]:
    """Return status and body of a response that has a length."""
    head, _, body = response.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def record(value: bytes, key: str = ACCOUNT) -> Json:
    return {"key": key, "value": base64.b64encode(value).decode()}


def submit(api: Api, *values: bytes) -> list[Json]:
    """Submit and wait; return the results in the order of the values."""
    accepted, *ends = api.submit([record(value) for value in values], wait=True)
    assert accepted["accepted"] + accepted["refused"] == len(values)
    return sorted(ends, key=lambda end: end["index"])


def verified(api: Api, head: Json | None = None) -> Json:
    found: Json = list(api.verify(head=head))[-1]["verified"]
    return found


def results(ends: list[Json]) -> list[str]:
    """Return ``signed`` or the reason of each result."""
    return [end["result"].get("reason", "signed") for end in ends]
