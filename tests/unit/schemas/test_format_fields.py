"""Section 11 of docs/format.md lists exactly the fields of the models."""

import re
from pathlib import Path
from typing import get_args

import pytest

from schemas.canonical import Canonical
from schemas.intents.intent import (
    AuthorizationIntent,
    Intent,
    MessageIntent,
    TransactionIntent,
    TypedDataIntent,
)
from schemas.intents.outcome import IntentRejected, MessageSigned, Outcome, TransactionSigned
from schemas.keys.key_events import (
    KeyDeactivated,
    KeyDeactivation,
    KeyDelivery,
    KeyImport,
    KeyProvisioned,
    KeyRequest,
    KeyRotation,
)
from schemas.keys.provider_roots import ProviderRootChanged, ProviderRootOrder
from schemas.keys.recovery import RecoveryOrder, SecretRecovered
from schemas.keys.secret_access import Operation, SecretAccess
from schemas.keys.vault_events import (
    SecretDelivery,
    SecretOrder,
    SecretRewrapped,
    SecretStored,
    ShareKeyAnnounced,
    VaultKeyChanged,
    VaultKeyOrder,
)
from schemas.ledger.audit import AuditAction, AuditRecord
from schemas.registry.records import Entry
from schemas.signer_event import SignerEvent

PAGE = (Path(__file__).parents[3] / "docs" / "format.md").read_text("utf-8")
PUT_IN_BY_SIGNING = {"signature", "raw_transaction", "transaction_hash", "message_signature"}
ALWAYS, OPTIONAL = "always", "optional"

ORDERS: tuple[type[Canonical], ...] = (
    KeyRequest,
    KeyRotation,
    KeyDeactivation,
    KeyImport,
    KeyDelivery,
    SecretOrder,
    SecretDelivery,
    VaultKeyOrder,
    ProviderRootOrder,
    RecoveryOrder,
)
ANSWERS: tuple[type[SignerEvent], ...] = (
    KeyProvisioned,
    KeyDeactivated,
    SecretStored,
    SecretRewrapped,
    SecretRecovered,
    VaultKeyChanged,
    ProviderRootChanged,
    ShareKeyAnnounced,
)


def on_the_page(heading: str) -> dict[str, str]:
    """Return the fields under a heading, and whether each is always present."""
    (table,) = re.findall(rf"^### {heading}\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    rows = re.findall(rf"^\| (`[^|]*`) \| ({ALWAYS}|{OPTIONAL}) \|", table, re.MULTILINE)
    assert len(rows) == table.count("\n") - 2
    return {name: there for names, there in rows for name in re.findall(r"`(\w+)`", names)}


def in_the_model(model: type[Canonical]) -> dict[str, str]:
    """Return the same of a model; what signing puts in is absent before, and never after."""
    return {
        name: OPTIONAL
        if (field.default is None or field.exclude_if) and name not in PUT_IN_BY_SIGNING
        else ALWAYS
        for name, field in model.model_fields.items()
    }


@pytest.mark.parametrize(
    ("shared", "own", "model"),
    [
        ("An intent of every kind", "Kind `transaction`", TransactionIntent),
        ("An intent of every kind", "Kind `personal_sign`", MessageIntent),
        ("An intent of every kind", "Kind `typed_data`", TypedDataIntent),
        ("An intent of every kind", "Kind `authorization`", AuthorizationIntent),
        ("An outcome of every type", "Type `transaction.signed`", TransactionSigned),
        ("An outcome of every type", "Type `message.signed`", MessageSigned),
        ("An outcome of every type", "Type `intent.rejected`", IntentRejected),
    ],
)
def test_every_field_is_documented(shared: str, own: str, model: type[Canonical]) -> None:
    fields, more = on_the_page(shared), on_the_page(own)
    assert not fields.keys() & more.keys()
    assert fields | more == in_the_model(model)


@pytest.mark.parametrize(
    ("heading", "model"),
    [("A record of `audit`", AuditRecord), ("A use of a secret on `audit`", SecretAccess)],
)
def test_every_field_of_an_audit_record_is_documented(heading: str, model: type[Canonical]) -> None:
    assert on_the_page(heading) == in_the_model(model)


@pytest.mark.parametrize(
    ("heading", "models", "shared"),
    [
        ("A record of `registry`", get_args(get_args(Entry)[0]), set()),
        ("Orders on `keys.requests`", ORDERS, set()),
        ("Answers on `vault`", ANSWERS, set(SignerEvent.model_fields)),
    ],
)
def test_every_record_of_operators_and_signer_is_documented(
    heading: str, models: tuple[type[Canonical], ...], shared: set[str]
) -> None:
    section = PAGE.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `([\w-]+\.[\w.]+)` \| (.*?) \|(.*) \|$", section, re.MULTILINE)
    found = {kind: lists for kind, *lists in rows}
    for model in models:
        kind, fields = model.model_fields["type"].default, in_the_model(model)
        for there, column in zip((ALWAYS, OPTIONAL), found.pop(kind), strict=True):
            names = re.findall(r"`(\w+)`", column)
            asked = {name for name, when in fields.items() if when == there}
            assert set(names) == asked - shared - {"v", "type"}, (kind, there)
    assert not found


def test_every_action_and_operation_is_documented() -> None:
    (table,) = re.findall(r"^\| `action` \| written by .*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    rows = [row.split(" | ")[0] for row in table.splitlines()[1:]]
    assert re.findall(r"`([a-z._]+)`", " ".join(rows)) == list(get_args(AuditAction))
    (operations,) = re.findall(r"^\| `operation` \| always \| (.*) \|$", PAGE, re.MULTILINE)
    assert re.findall(r"`([a-z-]+)`", operations) == list(get_args(Operation))


def test_common_fields_are_in_the_shared_tables() -> None:
    assert on_the_page("An intent of every kind") == in_the_model(Intent)
    shared = on_the_page("An outcome of every type")
    assert shared == in_the_model(Outcome) | {"type": ALWAYS, "chain_id": ALWAYS}
