"""The socket carries the ``Api`` and nothing but it."""

import inspect

from sixgate.api import Api
from sixgate.socket.remote import RemoteApi


def signatures(kind: type) -> dict[str, inspect.Signature]:
    methods = {name: one for name, one in vars(kind).items() if not name.startswith("_")}
    return {name: inspect.signature(method) for name, method in methods.items()}


def test_a_remote_node_takes_what_a_node_takes_and_no_more() -> None:
    assert signatures(RemoteApi) == signatures(Api)
