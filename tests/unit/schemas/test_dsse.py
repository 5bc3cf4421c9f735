import base64

import pytest

from schemas.canonical import MalformedError
from schemas.dsse import INTENT_TYPE, KEY_REQUEST_TYPE, Envelope, pae, signed_envelope
from tests.harness.builders.cases import intent, sealed

ENVELOPE = sealed(intent())
RAW = ENVELOPE.encode()
PAYLOAD, SIG = ENVELOPE.payload.encode(), ENVELOPE.signatures[0].sig.encode()


def test_the_signed_bytes_are_those_of_the_specification() -> None:
    # The example in the DSSE protocol specification.
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected


def test_lengths_separate_type_and_body() -> None:
    assert pae("a", b"b c") != pae("a b", b"c")
    assert pae("é", b"") == "DSSEv1 2 é 0 ".encode()


def test_an_envelope_returns_its_body() -> None:
    envelope = signed_envelope(INTENT_TYPE, b"\x00\xff", "alice", b"\x01" * 64)
    again = Envelope.decode(envelope.encode())
    assert (again.body(), again.signature()) == (b"\x00\xff", b"\x01" * 64)
    assert again.signed_bytes(INTENT_TYPE) == pae(INTENT_TYPE, b"\x00\xff")


def test_an_envelope_of_another_type_has_no_signed_bytes() -> None:
    with pytest.raises(MalformedError) as refusal:
        ENVELOPE.signed_bytes(KEY_REQUEST_TYPE)
    assert refusal.value.where == "payloadType"


@pytest.mark.parametrize(
    "text",
    [
        b"AA",  # without padding
        b"AA=",
        b"AB==",  # spare bits that are not zero: a second spelling of one byte
        b"A A=",
        b"AA==\\n",
        b"AA==AA==",
        b"_-==",  # the URL alphabet
        b"A\\u0041==",
        "\u0410\u0410==".encode(),  # Cyrillic
        b"====",
    ],
)
def test_base64_has_one_spelling(text: bytes) -> None:
    for original in (PAYLOAD, SIG):
        with pytest.raises(MalformedError):
            Envelope.decode(RAW.replace(original, text))


def test_there_is_exactly_one_signature() -> None:
    one = b'{"keyid":"alice","sig":"' + SIG + b'"}'
    assert RAW.count(one) == 1
    for many in (b"", one + b"," + one):
        with pytest.raises(MalformedError) as refusal:
            Envelope.decode(RAW.replace(one, many))
        assert refusal.value.where == "signatures"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"payloadType"', b'"payload_type"'),
        (b'"keyid":"alice"', b'"keyid":""'),
        (b'"keyid":"alice"', b'"keyid":"../alice"'),
        (b'"keyid":"alice",', b""),
    ],
)
def test_a_non_canonical_envelope_is_rejected(old: bytes, new: bytes) -> None:
    assert RAW.count(old) == 1
    with pytest.raises(MalformedError):
        Envelope.decode(RAW.replace(old, new))


def test_an_empty_payload_is_signed_too() -> None:
    empty = signed_envelope(INTENT_TYPE, b"", "alice", b"")
    assert base64.b64decode(Envelope.decode(empty.encode()).payload) == b""
