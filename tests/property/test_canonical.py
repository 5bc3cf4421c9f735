"""Every model value has exactly one encoding; fuzzed bytes never decode to a second one."""

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.canonical import Canonical, MalformedError
from schemas.fields import SAFE_INTEGER_MAX
from schemas.intents.outcome import IntentRejected, TransactionSigned, decode_outcome
from tests.harness.builders.models import canonical_models, values_of
from tests.harness.sizes import effort

MODELS = canonical_models()
REFUSAL_MAX = 512
FUZZED_PER_VALUE = 4
M = TypeVar("M", bound=Canonical)

# Tokens that break naive parsers at any position.
TOKENS = [
    *(b" ", b"\n", b"\t", b",", b":", b'"', b"{", b"}", b"[", b"]", b"\\", b"\x00", b"\x7f"),
    *(b"\xff", b"\xef\xbb\xbf", b"\xc0\x80", b"\xed\xa0\x80", "\u0430".encode(), "\uff10".encode()),
    *(b"null", b"true", b"false", b"NaN", b"Infinity", b"-Infinity", b"[]", b"{}", b'""'),
    *(b"0", b"-0", b"-1", b"00", b"01", b"1.0", b"1e3", b"1E3", b"0x1", b"1_0", b"+1"),
    *(b"%d" % n for n in (2**53, 2**63, 2**64, 2**256)),
    *(b'"%d"' % n for n in (0, 2**53, 2**256 - 1, 2**256)),
    *(b"\\u0061", b"\\/", b"\\ud800", b"\\udc00\\ud800", b"\\n", b'"0X00"', b'"0xAB"'),
    *(b',"v":1', b'"v":1,', b',"extra":1', b',"type":"x"', b',"to":null'),
]

VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1.0,
    2**53,
    2**64,
    10**400,
    "",
    "a",
    "0",
    "\U0001f600",
    [],
    {},
]


@st.composite
def spliced(draw: st.DrawFn, raw: bytes) -> bytes:
    """Replace a few ranges of the bytes by tokens, or remove them."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(raw)))
        end = draw(st.integers(start, min(len(raw), start + 12)))
        raw = raw[:start] + draw(st.sampled_from([b"", *TOKENS])) + raw[end:]
    return raw


@st.composite
def rewritten(draw: st.DrawFn, raw: bytes) -> bytes:
    """Keep the JSON valid and change one value, the order of keys, or the spacing."""
    content = json.loads(raw)
    inside = draw(st.sampled_from(list(_objects(content))))
    name = draw(st.sampled_from([*inside, "extra", "Z" * 600]) if inside else st.just("extra"))
    inside[name] = draw(st.sampled_from([*VALUES, inside.get(name)]))
    pairs = list(content.items())
    if draw(st.booleans()):
        pairs = draw(st.permutations(pairs))
    spacing = draw(st.sampled_from([(",", ":"), (", ", ":"), (",", ": ")]))
    ascii_only = draw(st.booleans())
    return json.dumps(dict(pairs), separators=spacing, ensure_ascii=ascii_only).encode()


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _objects(item)


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _scalars(item)
    else:
        yield value


def accepted(decode: Callable[[bytes], M], raw: bytes) -> M | None:
    """Return the decoded value, or None if it was refused with a short error."""
    try:
        return decode(raw)
    except MalformedError as error:
        if len(str(error)) > REFUSAL_MAX:
            raise
    return None


def by_another_library(raw: bytes) -> bytes:
    """Encode the decoded JSON with the standard library instead of orjson."""
    content = json.loads(raw)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@effort(0.06, soak=0.25)
@given(data=st.data())
def test_a_value_has_exactly_one_accepted_encoding(
    model: type[Canonical], data: st.DataObject
) -> None:
    value = data.draw(values_of(model))
    raw = value.encode()
    assert model.decode(raw) == value
    assert model.decode(raw).encode() == raw
    assert by_another_library(raw) == raw
    for _ in range(FUZZED_PER_VALUE):  # drawing a value takes longer than fuzzing it
        check_accepted(model, data.draw(spliced(raw) | rewritten(raw)))


def check_accepted(model: type[Canonical], fuzzed: bytes) -> None:
    """Check that accepted bytes are canonical and have no null, fraction or big number."""
    value = accepted(model.decode, fuzzed)
    if value is None:
        return
    assert value.encode() == fuzzed == by_another_library(fuzzed)
    scalars = list(_scalars(json.loads(fuzzed)))
    assert all(scalar is not None and not isinstance(scalar, float) for scalar in scalars)
    assert all(abs(s) <= SAFE_INTEGER_MAX for s in scalars if isinstance(s, int))


@effort(0.5)
@given(st.binary(max_size=60) | st.text('{}[]",:0123456789.eE-ntfNI\\u ', max_size=60))
def test_arbitrary_bytes_raise_only_malformed(noise: bytes | str) -> None:
    raw = noise if isinstance(noise, bytes) else noise.encode()
    for model in MODELS:
        with pytest.raises(MalformedError):
            model.decode(raw)


@effort(0.25)
@given(st.data())
def test_outcomes_are_distinguished_by_type(data: st.DataObject) -> None:
    drawn = values_of(TransactionSigned) | values_of(IntentRejected)
    value = data.draw(drawn)
    raw = value.encode()
    assert decode_outcome(raw) == value
    fuzzed = data.draw(spliced(raw) | rewritten(raw))
    again = accepted(decode_outcome, fuzzed)
    assert again is None or again.encode() == fuzzed
