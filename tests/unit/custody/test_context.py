import json

import pytest
from pydantic import ValidationError

from signer.custody.context import Layer, SecretContext, VaultContext
from tests.harness.builders.custody_material import HERE


def test_the_bytes_of_each_layer_are_the_documented_ones() -> None:
    names = {"account": "treasury", "mode": "envelope", "org": "acme", "vault": "main"}
    head = {"type": "custody.context", "v": 1}
    expected = {
        Layer.KEK: head | names | {"layer": "kek"},
        Layer.DEK: head | names | {"layer": "dek", "path": "keys/hot", "version": 2},
        Layer.SECRET: head | names | {"layer": "secret", "path": "keys/hot", "version": 2},
    }
    for layer, content in expected.items():
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        assert HERE.aad(layer) == text.encode()


def test_all_secrets_of_a_vault_share_the_bytes_of_its_key() -> None:
    elsewhere = HERE.model_copy(update={"path": "keys/cold", "version": 9})
    assert elsewhere.aad(Layer.KEK) == HERE.aad(Layer.KEK) == HERE.vault_context.aad()


def test_names_that_try_to_close_their_quotes_stay_apart() -> None:
    honest = HERE.model_copy(update={"vault": "a", "path": "b"})
    forged = HERE.model_copy(update={"vault": 'a","vault":"a', "path": "b"})
    shifted = HERE.model_copy(update={"vault": "ab", "path": ""})
    assert len({context.aad(Layer.DEK) for context in (honest, forged, shifted)}) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": -1},
        {"version": 2**53},
        {"version": "2"},
        {"version": True},
        {"version": 2.0},
        {"path": ""},
        {"path": "x" * 257},
        {"path": b"keys/hot"},
        {"path": "\ud800"},
        {"vault": None},
        {"mode": "none"},
        {"mode": "2of3"},
        {"tenant": "acme"},
    ],
    ids=str,
)
def test_an_invalid_context_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SecretContext.model_validate(HERE.model_dump() | change)


def test_a_context_cannot_be_changed_after_it_was_checked() -> None:
    with pytest.raises(ValidationError):
        HERE.version = 3  # type: ignore[misc] # the attack
    with pytest.raises(ValidationError):
        VaultContext(org="a", account="b", vault="c", mode="envelope").vault = "d"  # type: ignore[misc] # the attack


def test_the_longest_context_fits_what_cloud_kms_accept() -> None:
    label = "\U0010ffff" * 256
    longest = SecretContext(
        org=label, account=label, vault=label, path=label, version=2**53 - 1, mode="envelope"
    )
    assert all(len(longest.aad(layer)) <= 8192 for layer in Layer)
