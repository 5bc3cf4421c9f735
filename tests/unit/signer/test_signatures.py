import base64
import copy
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas.dsse import INTENT_TYPE, KEY_REQUEST_TYPE, Envelope, pae
from schemas.intents.outcome import TransactionSigned, decode_outcome
from schemas.redaction import redacted, signed_part
from signer.core.errors import InvalidSignatureError
from signer.core.signatures import CACHED_BYTES_MAX, open_envelope, verify
from signer.custody.event_signing import Ed25519Signer, verify_event
from tests.harness.builders.cases import ALICE, MALLORY, SIGNER, intent, sealed, signed

BODY = intent().encode()
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
SIZES = [0, 100, CACHED_BYTES_MAX, CACHED_BYTES_MAX + 1]

# RFC 8032, section 7.1, tests 2 and 3: seed, public key, message, signature.
RFC_8032 = [
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_signatures_match_the_rfc(seed: str, public: str, message: str, signature: str) -> None:
    signer = Ed25519Signer("rfc", bytes.fromhex(seed))
    assert signer.public_key == "0x" + public
    assert signer.sign(bytes.fromhex(message)).hex() == signature
    verify("0x" + public, bytes.fromhex(signature), bytes.fromhex(message))


@pytest.mark.parametrize("size", SIZES)
def test_a_signature_is_valid_for_its_bytes_only(size: int) -> None:
    message = b"m" * size
    signature = ALICE.sign(message)
    for _ in range(2):  # the second time may come from memory
        verify(ALICE.public_key, signature, message)
        for key, sig, text in (
            (MALLORY.public_key, signature, message),
            (ALICE.public_key, signature, message + b"m"),
            (ALICE.public_key, MALLORY.sign(message), message),
            (ALICE.public_key, signature[:-1], message),
            (ALICE.public_key, signature + b"\x00", message),
            (ALICE.public_key, b"", message),
            (ALICE.public_key, bytes(64), message),
        ):
            with pytest.raises(InvalidSignatureError):
                verify(key, sig, text)


@pytest.mark.parametrize("bit", range(0, 512, 13))
def test_a_signature_with_a_flipped_bit_is_invalid(bit: int) -> None:
    signature = bytearray(ALICE.sign(BODY))
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidSignatureError):
        verify(ALICE.public_key, bytes(signature), BODY)


def test_a_malleated_signature_is_invalid() -> None:
    """S + L verifies under implementations that do not reduce (RFC 8032, section 8.4)."""
    signature = ALICE.sign(BODY)
    s = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    with pytest.raises(InvalidSignatureError):
        verify(ALICE.public_key, signature[:32] + s.to_bytes(32, "little"), BODY)


@pytest.mark.parametrize("public_key", ["0x" + "ff" * 32, "0x" + "02" + "00" * 31, "0x00"])
def test_an_invalid_public_key_verifies_nothing(public_key: str) -> None:
    with pytest.raises(InvalidSignatureError):
        verify(public_key, ALICE.sign(BODY), BODY)


def test_an_envelope_opens_for_its_signer_and_type() -> None:
    assert open_envelope(sealed(intent()), INTENT_TYPE, ALICE.public_key) == BODY


def test_an_envelope_s_named_key_is_only_a_hint() -> None:
    lie = sealed(intent()).plain()
    lie["signatures"] = [{"keyid": "mallory", "sig": lie["signatures"][0]["sig"]}]
    envelope = Envelope.decode(
        sealed(intent()).encode().replace(b'"keyid":"alice"', b'"keyid":"mallory"')
    )
    assert open_envelope(envelope, INTENT_TYPE, ALICE.public_key) == BODY
    with pytest.raises(InvalidSignatureError):
        open_envelope(envelope, INTENT_TYPE, MALLORY.public_key)


def test_an_envelope_of_another_type_does_not_open() -> None:
    envelope = sealed(intent())
    with pytest.raises(InvalidSignatureError):
        open_envelope(envelope, KEY_REQUEST_TYPE, ALICE.public_key)
    renamed = envelope.model_copy(update={"payload_type": KEY_REQUEST_TYPE})
    with pytest.raises(InvalidSignatureError):
        open_envelope(renamed, KEY_REQUEST_TYPE, ALICE.public_key)


def test_a_signature_over_the_bare_body_is_invalid_for_the_envelope() -> None:
    envelope = sealed(intent())
    bare = base64.b64encode(ALICE.sign(BODY)).decode()
    signature = envelope.signatures[0].model_copy(update={"sig": bare})
    with pytest.raises(InvalidSignatureError):
        open_envelope(
            envelope.model_copy(update={"signatures": (signature,)}), INTENT_TYPE, ALICE.public_key
        )


def test_cryptography_verifies_an_envelope() -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"a" * 32).public_key()
    key.verify(sealed(intent()).signature(), pae(INTENT_TYPE, BODY))


def test_an_event_is_signed_over_its_redacted_form() -> None:
    event = signed(intent(), raw_transaction="0x02", transaction_hash="0x" + "00" * 32)
    outcome = decode_outcome(SIGNER.sign_event(event))
    verify_event(outcome, SIGNER.public_key)
    hidden = redacted(outcome.plain())  # all that the ledger holds
    assert hidden["raw_transaction"] != "0x02"
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(SIGNER.public_key[2:]))
    key.verify(bytes.fromhex(hidden["signature"][2:]), signed_part(hidden))
    with pytest.raises(InvalidSignatureError):
        verify_event(outcome, MALLORY.public_key)


@pytest.mark.parametrize("field", sorted(set(TransactionSigned.model_fields) - {"v", "type"}))
def test_an_event_s_signature_covers_each_field(field: str) -> None:
    event = signed(
        intent(),
        raw_transaction="0x02",
        transaction_hash="0x" + "00" * 32,
        policy="0x" + "01" * 32,
    )
    outcome = decode_outcome(SIGNER.sign_event(event))
    changed = _other(field, getattr(outcome, field))
    with pytest.raises(InvalidSignatureError):
        verify_event(outcome.model_copy(update={field: changed}), SIGNER.public_key)


def _other(field: str, value: Any) -> Any:
    """Return another value for a field, or a value for an absent one."""
    absent: dict[str, Any] = {
        "tx_type": 4,
        "gas_price_wei": 1,
        "max_fee_per_blob_gas_wei": 1,
        "access_list": (),
        "authorization_list": (),
        "blob_versioned_hashes": (),
        "boot": "0x" + "02" * 32,
    }
    if value is None:
        return absent[field]
    if isinstance(value, int):
        return value + 1
    return value[:-1] + ("0" if value[-1] != "0" else "1")


def test_signing_an_event_ignores_its_current_signature() -> None:
    once = SIGNER.sign_event(signed(intent()))
    assert SIGNER.sign_event(decode_outcome(once)) == once


def test_an_unsigned_event_is_invalid() -> None:
    with pytest.raises(InvalidSignatureError):
        verify_event(signed(intent()), SIGNER.public_key)


def test_a_signing_key_cannot_be_copied_pickled_or_printed() -> None:
    for copying in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied"):
            copying(ALICE)
    assert (b"a" * 32).hex() not in repr(ALICE) + str(ALICE)
    assert not hasattr(ALICE, "__dict__")
