"""Canonical bytes: every alternative spelling of an intent is rejected with its place."""

import json
from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.canonical import MalformedError, canonical_bytes, digest, event_id
from schemas.fields import WeiSum
from schemas.intents.clearance import Verdict
from schemas.intents.intent import TransactionIntent, intent_digest
from schemas.intents.outcome import decode_outcome
from schemas.intents.reasons import Gate
from schemas.registry.records import AccountOpened, RegistryRecord, SettingSet
from tests.harness.builders.cases import Operator, intent, policy, report, signed

INTENT = intent(nonce=7, idempotency_key="invoice-7")
RAW = INTENT.encode()
RECIPIENT = b'"to":"0x' + b"11" * 20 + b'"'
# A long, malformed name, which no error may repeat.
INJECTED = b"\\u001b[2J" + b"Z" * 5_000


def swapped(old: bytes, new: bytes) -> bytes:
    assert RAW.count(old) == 1
    return RAW.replace(old, new)


def to(address: str) -> bytes:
    return swapped(RECIPIENT, b'"to":"%b"' % address.encode())


SPELLINGS: dict[str, tuple[bytes, str]] = {
    # the bytes as a whole
    "empty": (b"", "bytes"),
    "not JSON": (b"send 1 ETH", "bytes"),
    "not UTF-8": (swapped(b"invoice-7", b"invoice-\xff"), "bytes"),
    "UTF-16": (RAW.decode().encode("utf-16"), "bytes"),
    "a byte order mark": (b"\xef\xbb\xbf" + RAW, "bytes"),
    "a leading space": (b" " + RAW, "bytes"),
    "a trailing newline": (RAW + b"\n", "bytes"),
    "a trailing NUL": (RAW + b"\x00", "bytes"),
    "trailing bytes": (RAW + b"}", "bytes"),
    "two intents": (RAW + RAW, "bytes"),
    "cut short": (RAW[:-1], "bytes"),
    "nested in a list": (b"[" + RAW + b"]", "bytes"),
    "nested too deep": (b"[" * 100_000, "bytes"),
    "spaces after commas": (json.dumps(json.loads(RAW), sort_keys=True).encode(), "bytes"),
    "a comment": (swapped(b'{"account"', b'{/**/"account"'), "bytes"),
    "a trailing comma": (RAW[:-1] + b",}", "bytes"),
    "single quotes": (RAW.replace(b'"', b"'"), "bytes"),
    # keys
    "a key twice": (swapped(b'"nonce":7', b'"nonce":7,"nonce":7'), "bytes"),
    "a key twice, the first one a lie": (swapped(b'"nonce":7', b'"nonce":8,"nonce":7'), "bytes"),
    "an escaped key": (swapped(b'"nonce"', b'"\\u006eonce"'), "bytes"),
    "keys out of order": (b'{"v":1,' + RAW[1:].replace(b'"v":1,', b""), "bytes"),
    "a key in another case": (swapped(b'"nonce"', b'"Nonce"'), "Nonce"),
    "an unknown key": (swapped(b'"nonce":7', b'"nonce":7,"note":1'), "note"),
    "an unknown key like a weapon": (
        swapped(b'"nonce":7', b'"nonce":7,"' + INJECTED + b'":1'),
        "bytes",
    ),
    "a missing key": (swapped(b'"simulate_first":false,', b""), "simulate_first"),
    "a missing version": (swapped(b'"v":1,', b""), "bytes"),
    "another version": (swapped(b'"v":1', b'"v":2'), "v"),
    "null for absent": (swapped(b'"nonce":7', b'"nonce":null'), "bytes"),
    # numbers
    "a float": (swapped(b'"nonce":7', b'"nonce":7.0'), "nonce"),
    "a fraction": (swapped(b'"nonce":7', b'"nonce":7.5'), "nonce"),
    "an exponent": (swapped(b'"nonce":7', b'"nonce":7e0'), "nonce"),
    "a negative number": (swapped(b'"nonce":7', b'"nonce":-7'), "nonce"),
    "minus zero": (swapped(b'"nonce":7', b'"nonce":-0'), "bytes"),
    "a leading zero": (swapped(b'"nonce":7', b'"nonce":07'), "bytes"),
    "a leading plus": (swapped(b'"nonce":7', b'"nonce":+7'), "bytes"),
    "NaN": (swapped(b'"nonce":7', b'"nonce":NaN'), "nonce"),
    "Infinity": (swapped(b'"nonce":7', b'"nonce":Infinity'), "nonce"),
    "true for one": (swapped(b'"nonce":7', b'"nonce":true'), "nonce"),
    "a string for a number": (swapped(b'"nonce":7', b'"nonce":"7"'), "nonce"),
    "a list for a number": (swapped(b'"nonce":7', b'"nonce":[7]'), "nonce"),
    "2^53": (swapped(b'"nonce":7', b'"nonce":9007199254740992'), "nonce"),
    "2^64": (swapped(b'"nonce":7', b'"nonce":18446744073709551616'), "nonce"),
    "a number of a megabyte": (swapped(b'"nonce":7', b'"nonce":1' + b"0" * 2**20), "bytes"),
    "chain zero": (swapped(b'"chain_id":8453', b'"chain_id":0'), "chain_id"),
    "one for true": (swapped(b"false", b"0"), "simulate_first"),
    "a string for false": (swapped(b"false", b'"false"'), "simulate_first"),
    # amounts
    "an amount as a number": (swapped(b'"value_wei":"1"', b'"value_wei":1'), "bytes"),
    "an amount as a float": (swapped(b'"value_wei":"1"', b'"value_wei":1.0'), "value_wei"),
    "an amount as true": (swapped(b'"value_wei":"1"', b'"value_wei":true'), "value_wei"),
    "no amount": (swapped(b'"value_wei":"1"', b'"value_wei":""'), "value_wei"),
    "a negative amount": (swapped(b'"value_wei":"1"', b'"value_wei":"-1"'), "value_wei"),
    "an amount with a zero before": (swapped(b'"value_wei":"1"', b'"value_wei":"01"'), "value_wei"),
    "an amount with a space": (swapped(b'"value_wei":"1"', b'"value_wei":"1 "'), "value_wei"),
    "an amount with a newline": (swapped(b'"value_wei":"1"', b'"value_wei":"1\\n"'), "value_wei"),
    "an amount with underscores": (swapped(b'"value_wei":"1"', b'"value_wei":"1_0"'), "value_wei"),
    "an amount in hex": (swapped(b'"value_wei":"1"', b'"value_wei":"0x1"'), "value_wei"),
    "an amount in ether": (swapped(b'"value_wei":"1"', b'"value_wei":"0.5"'), "value_wei"),
    "an amount in full-width digits": (
        swapped(b'"value_wei":"1"', '"value_wei":"\uff11"'.encode()),
        "value_wei",
    ),
    "2^256": (swapped(b'"value_wei":"1"', b'"value_wei":"%d"' % 2**256), "value_wei"),
    # text
    "an escaped letter": (swapped(b"invoice-7", b"invoic\\u0065-7"), "bytes"),
    "an escaped slash": (swapped(b"agents/alice/keys/hot", b"agents\\/alice/keys/hot"), "bytes"),
    "a lone surrogate": (swapped(b"invoice-7", b"invoice-\\ud800"), "bytes"),
    "a space in a name": (swapped(b"treasury", b"trea sury"), "account"),
    "a newline after a name": (swapped(b"treasury", b"treasury\\n"), "account"),
    "a name in upper case": (swapped(b"treasury", b"Treasury"), "account"),
    "a name with a path in it": (swapped(b"treasury", b"../treasury"), "account"),
    "a key path that climbs": (swapped(b"agents/alice", b"agents/.."), "key_path"),
    "a key path of another tree": (swapped(b"agents/alice", b"root/alice"), "key_path"),
    "an idempotency key with a space": (swapped(b"invoice-7", b"invoice 7"), "idempotency_key"),
    "an empty idempotency key": (swapped(b"invoice-7", b""), "idempotency_key"),
    "a long idempotency key": (swapped(b"invoice-7", b"i" * 129), "idempotency_key"),
    # addresses and data
    "an address in upper case": (to("0x" + "AB" * 20), "to"),
    "an address with a checksum": (to("0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"), "to"),
    "an address that is too short": (to("0x" + "1" * 39), "to"),
    "an address that is too long": (to("0x" + "1" * 41), "to"),
    "an address without 0x": (to("11" * 20), "to"),
    "an address with 0X": (to("0X" + "11" * 20), "to"),
    "an address with a Cyrillic letter": (to("0x" + "11" * 19 + "1\u0430"), "to"),
    "an address with a zero-width space": (to("0x" + "11" * 20 + "\u200b"), "to"),
    "an address that is a name": (to("vitalik.eth"), "to"),
    "an address as a number": (swapped(RECIPIENT, b'"to":1'), "to"),
    "half a byte of data": (swapped(b'"data":"0x"', b'"data":"0x0"'), "data"),
    "data in upper case": (swapped(b'"data":"0x"', b'"data":"0xAB"'), "data"),
    "data without 0x": (swapped(b'"data":"0x"', b'"data":""'), "data"),
    "a megabyte of data": (swapped(b'"data":"0x"', b'"data":"0x' + b"00" * 2**20 + b'"'), "data"),
}


@pytest.mark.parametrize(("raw", "where"), SPELLINGS.values(), ids=SPELLINGS)
def test_an_alternative_spelling_is_rejected_with_its_place(raw: bytes, where: str) -> None:
    with pytest.raises(MalformedError) as refusal:
        TransactionIntent.decode(raw)
    assert refusal.value.where == where
    assert len(str(refusal.value)) < 500


def test_the_canonical_spelling_is_accepted() -> None:
    assert TransactionIntent.decode(RAW) == INTENT


@pytest.mark.parametrize("wei", [0, 1, 2**53, 2**64, 2**255, 2**256 - 1])
def test_amounts_of_256_bits_pass_as_decimal_strings(wei: int) -> None:
    raw = swapped(b'"value_wei":"1"', b'"value_wei":"%d"' % wei)
    assert TransactionIntent.decode(raw).value_wei == wei


@pytest.mark.parametrize("number", [2**53, 2**63, 2**64, 2**256])
def test_a_sequence_above_2_to_the_53rd_is_malformed(number: int) -> None:
    raw = Operator().record(AccountOpened(account="treasury")).encode()
    with pytest.raises(MalformedError) as refusal:
        RegistryRecord.decode(raw.replace(b'"sequence":0', b'"sequence":%d' % number))
    assert refusal.value.where == "sequence"


@pytest.mark.parametrize("value", [b"1.0", b"-1", b"18446744073709551616", b"[]", b"null", b"{}"])
def test_a_setting_of_an_unexpected_type_is_malformed(value: bytes) -> None:
    entry = SettingSet(name="simulation.age_ms_max", value=60_000)
    raw = Operator().record(entry).encode()
    with pytest.raises(MalformedError):
        RegistryRecord.decode(raw.replace(b'"value":60000', b'"value":' + value))


@pytest.mark.parametrize("name", [INJECTED, b"ti\\ud83d\\ude00de", b"", b"a b"])
def test_an_error_repeats_no_untrusted_text(name: bytes) -> None:
    record = Operator().record(AccountOpened(account="treasury")).encode()
    forgeries = [
        record.replace(b'"account.opened"', b'"' + name + b'"'),
        record.replace(b'"org"', b'"' + name + b'":1,"org"'),
    ]
    for raw in forgeries:
        with pytest.raises(MalformedError) as refusal:
            RegistryRecord.decode(raw)
        message = str(refusal.value)
        assert message.isascii()
        assert message.isprintable()
        assert "ZZ" not in message


def test_an_outcome_of_an_unknown_type_is_rejected_without_repeating_it() -> None:
    raw = signed(INTENT).encode()
    with pytest.raises(MalformedError) as refusal:
        decode_outcome(raw.replace(b'"transaction.signed"', b'"transaction.' + INJECTED + b'"'))
    assert "ZZ" not in str(refusal.value)
    with pytest.raises(MalformedError):
        decode_outcome(raw + b" ")


def test_a_changed_copy_drops_cached_values() -> None:
    low = policy(tx_max_value_eth="1", tx_to_allowlist=("0x" + "11" * 20,))
    assert (low.value_wei_max, low.recipients) == (10**18, frozenset({"0x" + "11" * 20}))
    high = low.model_copy(update={"tx_max_value_eth": "2", "tx_to_allowlist": "any"})
    assert (high.value_wei_max, high.recipients) == (2 * 10**18, None)
    verdict = Verdict(gate=Gate.ADMISSION, at_ms=1, passed=True)
    assert orjson.dumps(verdict.fragment) == verdict.encode()
    later = verdict.model_copy(update={"at_ms": 2})
    assert orjson.dumps(later.fragment) == later.encode()


def test_absent_fields_are_omitted_and_never_null() -> None:
    assert b"null" not in intent(to=None, nonce=None).encode()
    assert b'"to"' not in intent(to=None).encode()
    assert b"null" not in report(INTENT).encode()


def test_digests_of_different_kinds_differ() -> None:
    assert digest("a", b"b") != digest("a\x00b", b"") != digest("", b"a\x00b")
    assert intent_digest(RAW) != digest("sixgate/policy/v1", RAW)
    assert event_id("outcome", intent_digest(RAW)) != event_id("vault", intent_digest(RAW))


def test_a_digest_is_sha_256_over_tag_zero_and_bytes() -> None:
    # printf 'a\\0b' | sha256sum
    by_coreutils = "59b271ae1bbcb1d31d41929817f4b16fb439eb4f31520b5ad1d5ce98920a7138"
    assert digest("a", b"b") == "0x" + by_coreutils


def test_two_intents_have_different_digests() -> None:
    names = {intent_digest(intent(value_wei=wei).encode()) for wei in range(100)}
    assert len(names) == 100


def test_values_are_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        INTENT.value_wei = 2  # type: ignore[misc] # the attack


WRONG_IN_CODE: list[dict[str, Any]] = [
    {"nonce": True},
    {"nonce": 1.0},
    {"nonce": "1"},
    {"value_wei": True},
    {"value_wei": 1.0},
    {"value_wei": -1},
    {"value_wei": 2**256},
    {"to": b"\x11" * 20},
    {"simulate_first": 1},
]


def test_models_reject_in_code_what_they_reject_on_the_wire() -> None:
    content = INTENT.plain()
    for wrong in WRONG_IN_CODE:
        with pytest.raises(ValueError, match="validation error"):
            TransactionIntent(**(content | wrong))


def test_keys_are_sorted_at_every_depth() -> None:
    assert canonical_bytes({"b": {"d": 1, "c": 2}, "a": []}) == b'{"a":[],"b":{"c":2,"d":1}}'


def test_a_sum_that_would_not_decode_is_rejected() -> None:
    sums = TypeAdapter(WeiSum)
    assert sums.validate_json(sums.dump_json(10**96 - 1)) == 10**96 - 1
    for value in (10**96, -1, True, "1" + "0" * 96):
        with pytest.raises(ValidationError):
            sums.validate_python(value)
