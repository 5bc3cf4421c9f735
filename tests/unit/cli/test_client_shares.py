"""A client's share that a stopped command left behind is a signer's, or it is none."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.client_share import SharePlace
from signer.custody.hpke import HpkeKey, seal_for
from signer.signatures import Ed25519Signer
from sixgate.api import ApiError, Json, ReportedRefusal
from sixgate.cli.secrets.client_shares import Client
from tests.support.cases import MALLORY, SIGNER
from tests.support.vault_events import FUND, answered

KEY = HpkeKey(b"c" * 32)
FOR_KEY = f"0x{KEY.public_key.hex()}"
ANSWER = answered("2of2_client_custody")
HERE = Client(KEY, {"account": FUND, "vault": ANSWER.vault}, ANSWER.path, Path("out"), Path("kept"))
REGISTRY: dict[str, Any] = {"org": "acme", "signer_keys": {SIGNER.keyid: [SIGNER.public_key]}}


def told(by: Ed25519Signer, share: bytes) -> Json:
    """Return the answer with a share that is sealed for the client, as everybody can seal one."""
    terms = {name: getattr(ANSWER, name) for name in ("account", "vault", "path", "version")}
    place = SharePlace(org="acme", **terms)
    box = f"0x{seal_for(FOR_KEY, share, place.to_client()).hex()}"
    event = ANSWER.model_copy(update={"client_share": box, "signature": None})
    return {"event": by.sign_event(event).decode()}


REAL = told(SIGNER, b"real")


def test_what_the_signer_made_for_a_stopped_command_is_found() -> None:
    found = HERE.left([REAL], REGISTRY)
    assert found is not None
    assert found["version"] == ANSWER.version


def test_a_share_that_somebody_else_sealed_for_the_client_is_not_kept_instead_of_its_own() -> None:
    forged = [told(MALLORY, b"forged"), told(Ed25519Signer(SIGNER.keyid, b"!" * 32), b"forged")]
    swapped = {"event": REAL["event"].replace("client_share", "client_sharf")}
    assert HERE.left([*forged, swapped], REGISTRY) is None
    found = HERE.left([REAL, *forged], REGISTRY)
    assert found is not None
    assert found["client_share"] in REAL["event"]


def test_what_is_no_event_on_the_topic_stops_nobody() -> None:
    odd = ["", "[]", "{", "null", f'{{"account":"{FUND}"}}', "[" * 5000, REAL["event"][:-9]]
    assert HERE.left([*({"event": text} for text in odd), REAL], REGISTRY) is not None


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (ApiError("key_refused", "there is a key at this path"), False),
        (ReportedRefusal("key_refused", "an audit record says so"), True),
        (ReportedRefusal("vault_refused", "an audit record says so"), True),
        (ApiError("connection_lost", "nobody knows"), True),
    ],
)
def test_the_key_for_a_share_goes_only_if_it_is_certain_that_nothing_was_made(
    tmp_path: Path, error: ApiError, *, stays: bool
) -> None:
    """A thief of any process could write a refusal, and the share of what is made be lost."""
    kept = tmp_path / "kept"
    kept.write_text("a key")
    client = replace(HERE, kept=kept)

    with pytest.raises(ApiError), client._on_disk():  # noqa: SLF001
        raise error
    assert kept.exists() is stays
