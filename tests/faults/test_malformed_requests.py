"""Malformed requests at the node's socket: each gets an error in one sentence.

This is a separate file because a process can open one embedded ledger at a time.
"""

import secrets
from collections.abc import Iterator
from typing import NamedTuple

import orjson
import pytest

from signer.custody.event_signing import Ed25519Signer
from sixgate.api.operator.connection import connect
from sixgate.data_folder.folder import Folder
from sixgate.services.embedded.node import Node
from tests.harness.cli.clients import ask, request, status_and_body
from tests.harness.pipeline.embedded import make_folder


class Attacked(NamedTuple):
    """The node that gets every request, and its folder."""

    folder: Folder
    node: Node


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    agent = Ed25519Signer("trader", secrets.token_bytes(32))
    folder = make_folder(tmp_path_factory.mktemp("attacked") / "data", [agent])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.path)  # a socket's address holds only 107 bytes
        with connect(folder.path) as api:
            assert isinstance(api, Node)
            yield Attacked(folder, api)


def post(path: str, body: bytes) -> bytes:
    return request("POST", f"/v1/operator/{path}", body)


def get(path: str) -> bytes:
    return request("GET", f"/v1/operator/{path}")


@pytest.mark.parametrize(
    "raw",
    [
        b"\n",
        b"\xff\n",
        b'{"method":"status","values":[],"named":{}}\n',
        request("GET", "/"),
        request("GET", "/v1/agents"),
        request("PUT", "/v1/operator/status"),
        post("status", b"{}"),
        get("stop"),
        get("_step"),
        get("status?x=1"),
        get("status?self=1"),
        get("status?%ff=%ff"),
        request("GET", "/v1/operator/status", b"{}"),
        post("intents", b""),
        post("intents", b"\xff"),
        post("intents", b"[]"),
        post("intents", b"null"),
        post("intents", b"{}"),
        post("intents", b'{"records":5,"wait":true}'),
        post("intents", b'{"records":[],"wait":"true"}'),
        post("intents", b'{"records":[],"wait":true,"self":1}'),
        post("intents?wait=true", b'{"records":[]}'),
        post("intents", b'{"records":[{"key":5,"value":"e30="}],"wait":false}'),
        post("intents", b'{"records":[{"key":"a","value":5}],"wait":false}'),
        get("intents"),
        get("intents?limit=-1"),
        get("intents?limit=x"),
        get("intents?limit=1.0"),
        get("intents?limit=1&limit=2"),
        get("intents?limit=" + "9" * 5_000),
        get("intents/events?intent="),
        get("intents/events?intent=%C3%A9%00"),
        post("ledger/sql", b'{"query":"SELECT toUInt256(1) * 2"}'),
        post("ledger/sql", b'{"query":"SELECT nan, now()"}'),
        post("ledger/sql", b'{"query":5}'),
        post("ledger/sql", b"[" * 100_000),
        post("registry", b'{"envelope":"AAAA"}'),
        post("registry", b'{"envelope":5}'),
        post("key-orders", b'{"record":"e30="}'),
        post("ledger/verify", b'{"head":[1]}'),
        post("ledger/verify", b'{"head":{"a":"\\u00e9"}}'),
        get("signed?after=x&follow=false"),
        get("signed?after=99999999999999999999&follow=false"),
        get("signed?after=0&follow=1"),
        post("ledger/export", b'{"path":"","form":"csv","since_ms":0,"until_ms":1}'),
        post("ledger/export", b'{"path":"/tmp/x","form":"x","since_ms":0,"until_ms":1}'),
    ],
)
def test_a_malformed_request_gets_an_error_in_one_sentence(
    attacked: Attacked, raw: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    response = ask(attacked.folder, raw)
    assert attacked.node.status()["org"] == "acme"
    assert "Traceback" not in capfd.readouterr().err
    status, body = status_and_body(response)
    assert status < 500, response
    lines = b"".join(body.split(b"\r\n")[1::2]) if b"chunked" in response else body
    answer = orjson.loads(lines.splitlines()[-1])
    if status != 200:
        assert answer["code"] != "internal"
        assert "\n" not in answer["detail"]
    elif "error" in answer:
        assert answer["error"]["code"] != "internal", answer
