"""Client shares after an interrupted command: only a share from the signer is accepted."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from schemas.keys.client_share import ClientShareContext
from schemas.registry.custody import AGENT_KEYS
from schemas.registry.records import AccountOpened, Entry, VaultCreated
from signer.custody.event_signing import Ed25519Signer
from signer.custody.hpke import HpkeKey, seal_for
from signer.keys.orders import KeyOrderError
from signer.keys.register import VaultRegister
from sixgate.answers.snapshot import client_shares
from sixgate.api import ApiError, Json, RemoteApiError
from sixgate.cli.client_shares import Client
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
KNOWN = registered(*FUNDED)[1].record_count
"""The registry's sequence before the signer got another key."""
ANSWER = answered(MODE)
HERE = Client(
    KEY, {"account": FUND, "vault": ANSWER.vault}, ANSWER.path, Path("out"), Path("key_file")
)


def share_event(by: Ed25519Signer, share: bytes, known: int = 0) -> bytes:
    """Return an answer whose share is sealed to the client; anyone can seal one."""
    terms = {name: getattr(ANSWER, name) for name in ("account", "vault", "path", "version")}
    context = ClientShareContext(org="acme", **terms)
    box = f"0x{seal_for(FOR_KEY, share, context.to_client()).hex()}"
    ordered = key_answer(key_request(account=FUND, registry_sequence=known))
    same = {"id": ordered.id, "request": ordered.request}
    return by.sign_event(ANSWER.model_copy(update={**same, "client_share": box, "signature": None}))


REAL = share_event(SIGNER, b"real")


def found_after(events: Sequence[bytes], *entries: Entry) -> Json | None:
    """Return what an interrupted command finds among these events on the topic."""
    register, registry = VaultRegister(), registered(*FUNDED, *entries)[1]
    for event in events:
        with suppress(KeyOrderError):
            register.load(event, registry)
    return HERE.made_earlier(client_shares(register, (FUND, ANSWER.vault), ANSWER.path), "acme")


def test_a_version_of_an_interrupted_command_is_found() -> None:
    found = found_after([REAL])
    assert found is not None
    assert found["version"] == ANSWER.version


def test_a_share_from_anyone_but_the_signer_is_ignored() -> None:
    forged = [
        share_event(MALLORY, b"forged"),
        share_event(Ed25519Signer(SIGNER.keyid, b"!" * 32), b"forged"),
    ]
    swapped = REAL.replace(b"client_share", b"client_sharf")
    assert found_after([*forged, swapped]) is None
    for events in ([REAL, *forged], [*forged, REAL]):
        found = found_after(events)
        assert found is not None
        assert found["client_share"].encode() in REAL


def test_a_former_signers_share_for_a_newer_order_is_ignored() -> None:
    """Its key was registered once, but the order is newer."""
    theirs = share_event(SIGNER, b"forged", known=KNOWN + 1)
    assert found_after([theirs], REPLACED) is None
    assert found_after([theirs]) is None  # the order names a later registry record
    assert found_after([share_event(SIGNER, b"real", known=KNOWN)], REPLACED) is not None


def test_a_share_without_an_order_or_for_an_answered_one_is_ignored() -> None:
    unordered = SIGNER.sign_event(ANSWER.model_copy(update={"request": None, "signature": None}))
    assert found_after([unordered]) is None
    again = share_event(SIGNER, b"again")
    found = found_after([REAL, again])
    assert found is not None
    assert found["client_share"].encode() in REAL


def test_malformed_events_on_the_topic_are_skipped() -> None:
    odd = ["", "[]", "{", "null", f'{{"account":"{FUND}"}}', "[" * 5000]
    assert found_after([*(text.encode() for text in odd), REAL[:-9], b"\xff", REAL]) is not None


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (ApiError("key_refused", "there is a key at this path"), False),
        (RemoteApiError("key_refused", "an audit record says so"), True),
        (RemoteApiError("vault_refused", "an audit record says so"), True),
        (ApiError("connection_lost", "no answer"), True),
    ],
)
def test_the_sealing_key_is_deleted_only_if_nothing_was_made(
    tmp_path: Path, error: ApiError, *, stays: bool
) -> None:
    """Any compromised process could forge a remote refusal; the share would be lost."""
    key_file = tmp_path / "key_file"
    key_file.write_text("a key")
    client = replace(HERE, key_file=key_file)

    with pytest.raises(ApiError), client._deleting_unused_key():  # noqa: SLF001
        raise error
    assert key_file.exists() is stays
