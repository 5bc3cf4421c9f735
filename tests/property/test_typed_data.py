import json
from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_defunct, encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.core.ethereum.personal_message import mistakable_for, personal_message_hash
from signer.core.ethereum.typed_data.document import read_typed_data
from signer.core.ethereum.typed_data.errors import TypedDataError
from signer.core.rules.spending import find_spending
from tests.harness.builders.typed_data import CHAIN, Document, documents, permit, read
from tests.harness.sizes import effort

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def digest_of_eth_account(made: Document) -> bytes:
    return bytes(_hash_eip191_message(encode_typed_data(full_message=made)))


def digest_or_place(made: Document) -> bytes | str:
    try:
        return read(made).digest
    except TypedDataError as error:
        return error.location


@effort(1)
@given(documents())
def test_eth_account_makes_the_same_digest(made: Document) -> None:
    expected = digest_of_eth_account(made)
    assert read(made).digest == expected


@effort(1)
@given(documents(), st.data())
def test_any_value_at_any_place_is_refused_or_gives_eth_accounts_digest(
    made: Document, data: st.DataObject
) -> None:
    """An accepted document never has another meaning here than in another library."""
    places = list(_places(made))
    part, step = data.draw(st.sampled_from(places))
    part[step] = data.draw(JSON_VALUES)
    found = digest_or_place(made)
    if isinstance(found, str):
        assert 0 < len(found) < 1024
    else:
        assert found == digest_of_eth_account(made)


@effort(0.5, soak=1)
@given(documents())
def test_every_document_is_checked_for_spending(made: Document) -> None:
    find_spending(read(made).structs)


@effort(1)
@given(JSON_VALUES)
def test_invalid_documents_raise_only_refusals(made: Any) -> None:
    for form in (made, {"types": made}, permit() | {"types": made}):
        with pytest.raises(TypedDataError):
            read_typed_data(json.dumps(form), CHAIN)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_eth_account_hashes_messages_alike(message: bytes) -> None:
    expected = _hash_eip191_message(encode_defunct(message))
    assert personal_message_hash(message) == bytes(expected)


@effort(1)
@given(st.binary(max_size=100))
def test_every_message_is_judged(message: bytes) -> None:
    mistakable_for(message)


@given(st.text(max_size=60))
def test_plain_words_are_a_message(text: str) -> None:
    message = f"Please sign in to example.com: {text}".encode(errors="ignore")
    if len(message) != 32:
        assert mistakable_for(message) is None


def _places(value: Any) -> Any:
    """Yield every container with each of its keys or indices."""
    steps = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in list(steps):
        yield value, step
        if isinstance(inner, dict | list):
            yield from _places(inner)
