"""The socket carries exactly the methods of the ``Api``."""

import inspect

from sixgate.api import Api
from sixgate.socket.remote import RemoteApi


def signatures(kind: type) -> dict[str, inspect.Signature]:
    methods = {name: one for name, one in vars(kind).items() if not name.startswith("_")}
    return {name: inspect.signature(method) for name, method in methods.items()}


def test_the_remote_api_has_the_signatures_of_the_api() -> None:
    assert signatures(RemoteApi) == signatures(Api)
