"""What comes from outside is sealed for a key that the signer told, or not at all."""

from typing import Any, cast

import pytest

from sixgate.api import Api, ApiError
from sixgate.authoring import share_key
from sixgate.authoring.share_key import current_share_key

KEY = "0x" + "09" * 32


class Telling:
    """A node whose signer tells its key after so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def registry(self) -> dict[str, Any]:
        self.looks -= 1
        old = {"role": "import", "name": "signer-0", "public_key": "0x" + "07" * 32}
        told = {"main": KEY} if self.looks < 0 else {}
        return {"share_keys": told | {"other": "0x" + "05" * 32}, "services": [old]}


def asked(looks: int) -> str:
    return current_share_key(cast("Api", Telling(looks)), "main")


def test_the_key_is_the_one_that_the_account_was_told() -> None:
    assert asked(0) == KEY


def test_the_first_one_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_key, "POLL_S", 0.0)
    assert asked(3) == KEY


def test_without_one_nothing_is_sealed_for_anybody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_key, "WAIT_S_MAX", -1.0)
    with pytest.raises(ApiError, match="told main no key to seal for"):
        asked(1)
