"""Calls of an ``Api``, embedded or on Kafka, that many tests make."""

import base64
import socket

from sixgate.api import Api, Json
from sixgate.data_folder.folder import Folder
from tests.harness.pipeline.embedded import ACCOUNT

ASK_S_MAX = 60


def ask(folder: Folder, line: bytes) -> bytes:
    """Send bytes to a node's socket and return the whole response."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(ASK_S_MAX)
        link.connect(str(folder.socket))
        link.sendall(line)
        link.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: link.recv(65_536), b""))


def record(value: bytes, key: str = ACCOUNT) -> Json:
    return {"key": key, "value": base64.b64encode(value).decode()}


def submit(api: Api, *values: bytes) -> list[Json]:
    """Submit and wait; return the results in the order of the values."""
    accepted, *ends = api.submit([record(value) for value in values], wait=True)
    assert accepted == {"accepted": len(values)}
    return sorted(ends, key=lambda end: end["index"])


def verified(api: Api, head: Json | None = None) -> Json:
    found: Json = list(api.verify(head=head))[-1]["verified"]
    return found


def results(ends: list[Json]) -> list[str]:
    """Return ``signed`` or the reason of each result."""
    return [end["result"].get("reason", "signed") for end in ends]
