"""A client's share that a stopped command left behind is a signer's, or it is none."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from schemas.client_share import ClientShareContext
from schemas.custody import AGENT_KEYS
from schemas.registry import AccountOpened, Entry, VaultCreated
from signer.custody.hpke import HpkeKey, seal_for
from signer.keys.orders import KeyOrderError
from signer.signatures import Ed25519Signer
from signer.vaults.register import VaultRegister
from sixgate.answers.snapshot import client_shares
from sixgate.api import ApiError, Json, RemoteApiError
from sixgate.cli.secrets.client_shares import Client
from tests.harness.builders.cases import (
    MALLORY,
    SIGNER,
    key_answer,
    key_request,
    registered,
    service,
)
from tests.harness.builders.vault_events import FUND, answered

KEY = HpkeKey(b"c" * 32)
FOR_KEY = f"0x{KEY.public_key.hex()}"
MODE: Final = "2of2_client_custody"
FUNDED = (VaultCreated(account=FUND, vault=AGENT_KEYS, mode=MODE), AccountOpened(account=FUND))
REPLACED = service(Ed25519Signer(SIGNER.keyid, b"2" * 32), "signer")
KNOWN = registered(*FUNDED)[1].sequence
"""How far the registry went before the signer got another key."""
ANSWER = answered(MODE)
HERE = Client(
    KEY, {"account": FUND, "vault": ANSWER.vault}, ANSWER.path, Path("out"), Path("key_file")
)


def told(by: Ed25519Signer, share: bytes, known: int = 0) -> bytes:
    """Return an answer with a share that is sealed for the client, as everybody can seal one."""
    terms = {name: getattr(ANSWER, name) for name in ("account", "vault", "path", "version")}
    place = ClientShareContext(org="acme", **terms)
    box = f"0x{seal_for(FOR_KEY, share, place.to_client()).hex()}"
    ordered = key_answer(key_request(account=FUND, registry_sequence=known))
    same = {"id": ordered.id, "request": ordered.request}
    return by.sign_event(ANSWER.model_copy(update={**same, "client_share": box, "signature": None}))


REAL = told(SIGNER, b"real")


def left(events: Sequence[bytes], *entries: Entry) -> Json | None:
    """Return what a stopped command finds where these events are on the topic."""
    said, registry = VaultRegister(), registered(*FUNDED, *entries)[1]
    for event in events:
        with suppress(KeyOrderError):
            said.load(event, registry)
    return HERE.made_earlier(client_shares(said, (FUND, ANSWER.vault), ANSWER.path), "acme")


def test_what_the_signer_made_for_a_stopped_command_is_found() -> None:
    found = left([REAL])
    assert found is not None
    assert found["version"] == ANSWER.version


def test_a_share_that_somebody_else_sealed_for_the_client_is_not_kept_instead_of_its_own() -> None:
    forged = [told(MALLORY, b"forged"), told(Ed25519Signer(SIGNER.keyid, b"!" * 32), b"forged")]
    swapped = REAL.replace(b"client_share", b"client_sharf")
    assert left([*forged, swapped]) is None
    for events in ([REAL, *forged], [*forged, REAL]):
        found = left(events)
        assert found is not None
        assert found["client_share"].encode() in REAL


def test_nor_one_that_a_former_signer_sealed_for_an_order_that_was_given_since() -> None:
    """Its key signed once, so it says nothing wrong; but it was not asked."""
    theirs = told(SIGNER, b"forged", known=KNOWN + 1)
    assert left([theirs], REPLACED) is None
    assert left([theirs]) is None  # an order that knows of what is not there yet
    assert left([told(SIGNER, b"real", known=KNOWN)], REPLACED) is not None


def test_nor_one_that_answers_no_order_or_comes_second() -> None:
    unordered = SIGNER.sign_event(ANSWER.model_copy(update={"request": None, "signature": None}))
    assert left([unordered]) is None
    again = told(SIGNER, b"again")
    found = left([REAL, again])
    assert found is not None
    assert found["client_share"].encode() in REAL


def test_what_is_no_event_on_the_topic_stops_nobody() -> None:
    odd = ["", "[]", "{", "null", f'{{"account":"{FUND}"}}', "[" * 5000]
    assert left([*(text.encode() for text in odd), REAL[:-9], b"\xff", REAL]) is not None


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (ApiError("key_refused", "there is a key at this path"), False),
        (RemoteApiError("key_refused", "an audit record says so"), True),
        (RemoteApiError("vault_refused", "an audit record says so"), True),
        (ApiError("connection_lost", "nobody knows"), True),
    ],
)
def test_the_key_for_a_share_goes_only_if_it_is_certain_that_nothing_was_made(
    tmp_path: Path, error: ApiError, *, stays: bool
) -> None:
    """A thief of any process could write a refusal, and the share of what is made be lost."""
    key_file = tmp_path / "key_file"
    key_file.write_text("a key")
    client = replace(HERE, key_file=key_file)

    with pytest.raises(ApiError), client._deleting_unused_key():  # noqa: SLF001
        raise error
    assert key_file.exists() is stays
