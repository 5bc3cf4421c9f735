"""Webhook signatures, with the specification's own library as the oracle."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from sixgate.clocks import wall_ms
from sixgate.webhooks.errors import WebhookInvalidError
from sixgate.webhooks.signing import new_secret, secret_key, signed_headers

KEYS = st.binary(min_size=24, max_size=64)
IDS = st.text("abcXYZ019_-", min_size=1, max_size=64)


def whsec(key: bytes) -> str:
    return f"whsec_{base64.b64encode(key).decode()}"


@given(KEYS, IDS, st.integers(0, 2**32), st.text())
def test_signatures_equal_those_of_the_official_library(
    key: bytes, message_id: str, at_s: int, text: str
) -> None:
    try:
        body = text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which no body contains
        return
    headers = signed_headers(whsec(key), message_id, at_s, body)
    at = datetime.fromtimestamp(at_s, UTC)
    assert headers["webhook-signature"] == Webhook(whsec(key)).sign(message_id, at, text)
    assert headers["webhook-id"] == message_id
    assert headers["webhook-timestamp"] == str(at_s)


def test_the_official_library_verifies_a_delivery_and_no_changed_one() -> None:
    secret = new_secret(b"k" * 32)
    headers = signed_headers(secret, "evt_1", wall_ms() // 1000, b'{"a":1}')
    assert Webhook(secret).verify(b'{"a":1}', headers) == {"a": 1}
    for changed in (headers | {"webhook-id": "evt_2"}, headers | {"webhook-timestamp": "1"}):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(b'{"a":1}', changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(b'{"a":2}', headers)


@given(KEYS)
def test_a_secret_is_the_prefix_and_the_base64_form_of_the_key(key: bytes) -> None:
    assert secret_key(whsec(key)) == key


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        base64.b64encode(b"k" * 32).decode(),
        "whsec_" + "A" * 200,
        whsec(b"k" * 23),
        whsec(b"k" * 65),
        whsec(b"k" * 32) + "\n",
        whsec(b"k" * 32).rstrip("="),
        whsec(b"\xff" * 25)[:-3] + "x==",
        "whsec_" + "-_" * 16,
        "whsec_é" + "A" * 31,
    ],
)
def test_a_malformed_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(WebhookInvalidError) as refusal:
        secret_key(secret)
    assert refusal.value.field == "secret"
    assert secret.removeprefix("whsec_") not in str(refusal.value) or len(secret) < 8


@pytest.mark.parametrize("message_id", ["", "evt.1", "evt 1", "evt\r\nx: y", "é", "e" * 129])
def test_an_id_that_would_make_a_signature_ambiguous_is_a_defect(message_id: str) -> None:
    with pytest.raises(ValueError, match="message id"):
        signed_headers(whsec(b"k" * 32), message_id, 0, b"")
