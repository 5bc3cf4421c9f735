"""Imported values are sealed to the share key that the signer announced, or not at all."""

from typing import Any, cast

import pytest

from sixgate.api import Api, ApiError
from sixgate.authoring import share_key
from sixgate.authoring.share_key import current_share_key

KEY = "0x" + "09" * 32


class AnnouncingNode:
    """A node whose signer announces its share key after some queries."""

    def __init__(self, queries: int) -> None:
        self.queries = queries

    def registry(self) -> dict[str, Any]:
        self.queries -= 1
        old = {"role": "import", "name": "signer-0", "public_key": "0x" + "07" * 32}
        announced = {"main": KEY} if self.queries < 0 else {}
        return {"share_keys": announced | {"other": "0x" + "05" * 32}, "services": [old]}


def found(queries: int) -> str:
    return current_share_key(cast("Api", AnnouncingNode(queries)), "main")


def test_the_key_announced_to_the_account_is_returned() -> None:
    assert found(0) == KEY


def test_the_first_announcement_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_key, "POLL_S", 0.0)
    assert found(3) == KEY


def test_without_an_announcement_the_pipeline_counts_as_halted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(share_key, "WAIT_S_MAX", -1.0)
    with pytest.raises(ApiError, match=r"\bmain\b") as caught:
        found(1)
    assert caught.value.code == "halted"
