"""Malformed requests at the node's socket: each gets an error in one sentence.

This is a separate file because a process can open one embedded ledger at a time.
"""

import secrets
from collections.abc import Iterator
from typing import NamedTuple

import orjson
import pytest

from signer.signatures import Ed25519Signer
from sixgate.data_folder.folder import Folder
from sixgate.embedded.node import Node
from sixgate.socket.connection import connect
from tests.harness.cli.clients import ask
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


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"\xff\n",
        b"[]\n",
        b"null\n",
        b"{}\n",
        b'{"method":"stop","values":[],"named":{}}\n',
        b'{"method":"_step","values":[],"named":{}}\n',
        b'{"method":["status"],"values":[],"named":{}}\n',
        b'{"method":"status","values":[1],"named":{}}\n',
        b'{"method":"submit","values":[5],"named":{"wait":true}}\n',
        b'{"method":"submit","values":[[{"key":5,"value":"e30="}]],"named":{"wait":false}}\n',
        b'{"method":"submit","values":[[{"key":"a","value":5}]],"named":{"wait":false}}\n',
        b'{"method":"intents","values":[],"named":{"limit":-1,"account":null,"agent":null}}\n',
        b'{"method":"sql","values":["SELECT toUInt256(1) * 2"],"named":{}}\n',
        b'{"method":"sql","values":["SELECT nan, now()"],"named":{}}\n',
        b'{"method":"sql","values":[5],"named":{}}\n',
        b'{"method":"trail","values":[{}],"named":{}}\n',
        b'{"method":"register","values":["AAAA"],"named":{}}\n',
        b'{"method":"register","values":[5],"named":{}}\n',
        b'{"method":"provision","values":["e30="],"named":{}}\n',
        b'{"method":"verify","values":[],"named":{"head":[1]}}\n',
        b'{"method":"verify","values":[],"named":{"head":{"a":"\\u00e9"}}}\n',
        b'{"method":"signed","values":[],"named":{"after":"x","follow":false}}\n',
        b'{"method":"signed","values":[],"named":{"after":99999999999999999999,"follow":false}}\n',
        b'{"method":"export","values":[""],"named":{"form":"csv","since_ms":0,"until_ms":1}}\n',
        b'{"method":"export","values":["/tmp/x"],"named":{"form":"x","since_ms":0,"until_ms":1}}\n',
    ],
)
def test_a_malformed_request_gets_an_error_in_one_sentence(
    attacked: Attacked, line: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    last = ask(attacked.folder, line).splitlines()[-1:]
    assert attacked.node.status()["org"] == "acme"
    assert "Traceback" not in capfd.readouterr().err
    assert last, "no answer"
    answer = orjson.loads(last[0])
    assert "done" in answer or answer["error"]["code"] != "internal", answer
