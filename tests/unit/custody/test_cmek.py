"""The customer layer: which values the server accepts and which it refuses."""

import hashlib

import pytest

from signer.custody.cmek import CmekContext, fingerprint_of, layer_of, require_layer
from signer.custody.errors import CmekRefusedError, CorruptError
from sixgate.authoring.customer_key import CustomerKey
from tests.harness.builders.custody_material import SECRET, Stream

OLD = CustomerKey(hashlib.sha256(b"old").digest())
NEW = CustomerKey(hashlib.sha256(b"new").digest())
STRANGE = CustomerKey(hashlib.sha256(b"strange").digest())
HERE = CmekContext(org="acme", account="treasury", vault="main", path="secrets/api", version=1)


def test_the_fingerprint_is_plain_sha256_of_the_key() -> None:
    key = bytes(range(32))
    assert fingerprint_of(key) == "0x" + hashlib.sha256(key).hexdigest()
    assert CustomerKey(key).fingerprint == fingerprint_of(key)


def test_a_value_opens_only_with_its_customer_key_and_context() -> None:
    sealed = OLD.seal(HERE, SECRET, Stream())
    assert OLD.open(HERE, sealed) == SECRET
    assert SECRET not in sealed
    with pytest.raises(CorruptError):
        NEW.open(HERE, sealed)
    for change in (
        {"org": "umbrella"}, {"account": "payroll"}, {"vault": "other"}, {"path": "secrets/x"},
        {"version": 2},
    ):  # fmt: skip
        with pytest.raises(CorruptError):
            OLD.open(HERE.model_copy(update=change), sealed)


def test_every_bit_of_a_layered_value_is_authenticated() -> None:
    sealed = OLD.seal(HERE, b"value", Stream())
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptError):
            OLD.open(HERE, bytes(changed))
    for size in range(len(sealed)):
        with pytest.raises(CorruptError):
            OLD.open(HERE, sealed[:size])


def test_the_server_takes_a_value_under_the_enrolled_key() -> None:
    for value in (b"", SECRET):
        sealed = OLD.seal(HERE, value, Stream())
        require_layer(sealed, OLD.fingerprint)
        assert layer_of(sealed) == OLD.fingerprint


@pytest.mark.parametrize(
    "value", [b"", b"in clear", SECRET, b"\x02", b"\x02" * 60, b"\x01" * 61], ids=len
)
def test_the_server_refuses_a_value_without_the_layer(value: bytes) -> None:
    with pytest.raises(CmekRefusedError, match="encrypt it"):
        require_layer(value, OLD.fingerprint)


def test_the_server_refuses_a_value_under_another_key() -> None:
    with pytest.raises(CmekRefusedError, match=STRANGE.fingerprint):
        require_layer(STRANGE.seal(HERE, SECRET, Stream()), OLD.fingerprint)


def test_a_customer_key_has_32_bytes_and_never_prints_them() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        CustomerKey(bytes(16))
    assert repr(OLD) == f"<CustomerKey {OLD.fingerprint}>"
    with pytest.raises(TypeError):
        OLD.__reduce__()
