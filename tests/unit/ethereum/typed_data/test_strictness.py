"""Every error of typed data, with its code and exact location."""

import json
from typing import Any

import pytest

from signer.core.ethereum.typed_data.errors import Code, TypedDataError
from signer.core.ethereum.typed_data.structs import DEPTH_MAX
from tests.harness.builders.typed_data import (
    CHAIN,
    OWNER,
    PERMIT_MEMBERS,
    changed,
    document,
    made_of,
    mail,
    members,
    permit,
    read,
    without,
)

PERMIT = permit()
MAIL = mail()
TEXT = json.dumps(PERMIT)
OWNER_MEMBER, OWNER_TWICE = '{"name": "owner",', '{"type": "", "name": "owner",'
DOMAIN = "types.EIP712Domain"
CONTRACT = "domain.verifyingContract"
DOMAIN_SWAPPED = "string version, string name, uint256 chainId, address verifyingContract"
NO_BOOLEANS = (0, 1, "true", "", None)
NO_INTEGERS = (
    *(True, 1.0, 1e18, None, [1], "", " 1", "1 ", "+1", "01", "-0", "1_000", "1e18", "1.0"),
    *("0x", "0X1", "-0x1", "0xg", "1\N{ARABIC-INDIC DIGIT THREE}", "0x" + "0" * 65, "9" * 79),
)
TOO_LARGE = (
    *(("uint8", 256), ("uint8", -1), ("uint8", "256"), ("uint8", "0x100"), ("uint48", 2**48)),
    *(("uint160", 2**160), ("uint256", 2**256), ("uint256", "-1"), ("int8", 128), ("int8", -129)),
    *(("int8", "0xff"), ("int256", 2**255), ("int256", -(2**255) - 1), ("uint256", 10**300)),
)
NO_ADDRESSES = (
    *(None, 1, "", OWNER[2:], OWNER[:-1], OWNER + "0", OWNER[:-1] + "g", "vitalik.eth"),
    *(OWNER.swapcase(), OWNER.replace("0x", "0X"), OWNER.replace("E5", "e5", 1)),
)
NO_BYTES = (None, 1, "", "ab", "0xa", "0Xab", "0xzz", "text", "0x ab", [1, 2])


def one(field_type: str, value: Any) -> Any:
    """Return a document with one value, of this type."""
    return document("One", {"it": value}, One=f"{field_type} it")


def nested(levels: int) -> Any:
    """Return a message of nested structs, this many in all."""
    types = {f"S{n}": f"S{n + 1} in" for n in range(1, levels)}
    return made_of("S1", **types, **{f"S{levels}": "bool in"})


def arrays(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return one("bool" + "[]" * levels, value)


def types(count: int) -> Any:
    """Return a document with this many types, all used."""
    most = {f"T{n}": "bool it" for n in range(count - 1)}
    return made_of("All", All=", ".join(f"{name} m{name}" for name in most), **most)


def repeating() -> Any:
    """Return a small document with a megabyte of encoded types: each contains all later ones."""
    wide = ", ".join(f"bool m{n:063}" for n in range(30))
    chain = {f"S{n}": f"{wide}, S{n + 1}[] in" for n in range(1, 31)}
    message: dict[str, Any] = {f"m{n:063}": True for n in range(30)} | {"in": []}
    return document("S1", message, **chain, S31=wide)


ROWS: list[tuple[Code, str, Any]] = [
    (Code.DOCUMENT_TOO_LARGE, "document", TEXT + " " * (128 * 1024)),
    (Code.DOCUMENT_TOO_LARGE, "document", one("string", "a" * 128 * 1024)),
    (Code.NOT_JSON, "document", ""),
    (Code.NOT_JSON, "document", TEXT[:-1]),
    (Code.NOT_JSON, "document", TEXT.replace('"1000000"', "NaN")),
    (Code.NOT_JSON, "document", TEXT.replace("USD Coin", "\\ud800")),
    (Code.NOT_JSON, "document", "[" * 100_000),
    (Code.NOT_JSON, "document", changed(PERMIT, "message.value", float("nan"))),
    (Code.NOT_JSON, "document", changed(PERMIT, "message.value", 10**400)),
    (Code.NOT_JSON, "document", TEXT.replace('"1000000"', "1" + "0" * 5000)),
    (Code.NOT_JSON, "document", changed(PERMIT, "domain.name", "\ud800")),
    (Code.KEY_REPEATED, "message.nonce", TEXT.replace('"nonce": 0', '"nonce": 0, "nonce": 0')),
    (Code.KEY_REPEATED, "primaryType", TEXT[:-1] + ', "primaryType": "Permit"}'),
    (
        Code.KEY_REPEATED,
        "types.Permit[0].type",
        TEXT.replace(OWNER_MEMBER, OWNER_TWICE),
    ),
    (Code.OBJECT_EXPECTED, "document", "[]"),
    (Code.OBJECT_EXPECTED, "types", changed(PERMIT, "types", [])),
    (Code.OBJECT_EXPECTED, "types.Permit[1]", changed(PERMIT, "types.Permit.1", "address spender")),
    (Code.OBJECT_EXPECTED, "types.Permit[0]", changed(PERMIT, "types.Permit.0.indexed", 1)),
    (Code.OBJECT_EXPECTED, "domain", changed(PERMIT, "domain", None)),
    (Code.OBJECT_EXPECTED, "message", changed(PERMIT, "message", [])),
    (Code.OBJECT_EXPECTED, "message.to[0]", changed(MAIL, "message.to.0", None)),
    (Code.LIST_EXPECTED, "types.Permit", changed(PERMIT, "types.Permit", {})),
    (Code.LIST_EXPECTED, "message.to", changed(MAIL, "message.to", {"0": {}})),
    (Code.LIST_EXPECTED, "message.to", changed(MAIL, "message.to", None)),
    (Code.TEXT_EXPECTED, "types.Permit[0].type", changed(PERMIT, "types.Permit.0.type", 1)),
    (Code.TEXT_EXPECTED, "message.contents", changed(MAIL, "message.contents", 1)),
    (Code.TEXT_EXPECTED, "message.contents", changed(MAIL, "message.contents", None)),
    (Code.TEXT_EXPECTED, "domain.version", changed(PERMIT, "domain.version", 2)),
    (Code.MEMBER_MISSING, "domain", without(PERMIT, "domain")),
    (Code.MEMBER_MISSING, "message.nonce", without(PERMIT, "message.nonce")),
    (Code.MEMBER_MISSING, "message.from.wallet", without(MAIL, "message.from.wallet")),
    (Code.MEMBER_UNKNOWN, "data", changed(PERMIT, "data", {})),
    (Code.MEMBER_UNKNOWN, "message.memo", changed(PERMIT, "message.memo", "hi")),
    (Code.MEMBER_UNKNOWN, "message.to[0].age", changed(MAIL, "message.to.0.age", 7)),
    (Code.MEMBER_UNKNOWN, "message.?", changed(PERMIT, "message.\x1b[2J", 0)),
    (Code.MEMBER_UNKNOWN, "domain.chainid", changed(PERMIT, "domain.chainid", CHAIN)),
    (Code.NESTED_TOO_DEEPLY, "message" + ".in" * DEPTH_MAX, nested(DEPTH_MAX + 1)),
    (Code.NESTED_TOO_DEEPLY, "message.it" + "[0]" * (DEPTH_MAX - 1), arrays(DEPTH_MAX)),
    (Code.TOO_MANY_TYPES, "types", types(129)),
    (Code.TOO_MANY_TYPES, "types", repeating()),
    (Code.TYPE_NAME_INVALID, "types.uint256", made_of("uint256", uint256="bool it")),
    (Code.TYPE_NAME_INVALID, "types.uint", made_of("uint", uint="bool it")),
    (Code.TYPE_NAME_INVALID, "types.bytes33", made_of("bytes33", bytes33="bool it")),
    (Code.TYPE_NAME_INVALID, "types", made_of("A[]", **{"A[]": "bool it"})),
    (Code.TYPE_NAME_INVALID, "types", made_of("A(bool b)B", **{"A(bool b)B": "bool it"})),
    (Code.TYPE_NAME_INVALID, "types", made_of("A B", **{"A B": "bool it"})),
    (Code.TYPE_NAME_INVALID, "types", made_of("Pеrmit", Pеrmit="bool it")),  # noqa: RUF001 - a homoglyph
    (Code.TYPE_NAME_INVALID, "types", made_of("A" * 65, **{"A" * 65: "bool it"})),
    (Code.MEMBER_NAME_INVALID, "types.A[0].name", made_of("A", A="bool a,bool")),
    (Code.MEMBER_NAME_INVALID, "types.A[1].name", made_of("A", A="bool it, bool a)B(bool b")),
    (Code.MEMBER_NAME_INVALID, "types.A[0].name", made_of("A", A="bool  it")),
    (Code.MEMBER_NAME_INVALID, "types.A[0].name", made_of("A", A="bool " + "a" * 65)),
    (Code.TEXT_EXPECTED, "types.Permit[0].name", changed(PERMIT, "types.Permit.0.name", [])),
    (Code.OBJECT_EXPECTED, f"{DOMAIN}[0]", changed(PERMIT, DOMAIN, ["string name"])),
    (Code.LIST_EXPECTED, DOMAIN, changed(PERMIT, DOMAIN, None)),
    (Code.MEMBER_REPEATED, "types.A[1].name", made_of("A", A="address to, uint256 to")),
    (Code.TYPE_UNKNOWN, "types.A[0].type", made_of("A", A="uint it")),
    (Code.TYPE_UNKNOWN, "types.A[0].type", made_of("A", A="int it")),
    (Code.TYPE_UNKNOWN, "types.A[0].type", made_of("A", A="uint08 it")),
    (Code.TYPE_UNKNOWN, "types.A[0].type", made_of("A", A="uint12 it")),
    (Code.TYPE_UNKNOWN, "types.A[0].type", made_of("A", A="uint264 it")),
    (Code.TYPE_UNKNOWN, "types.A[0].type", made_of("A", A="bytes0 it")),
    (Code.TYPE_UNKNOWN, "types.A[0].type", made_of("A", A="B it")),
    (Code.TYPE_UNKNOWN, "types.A[0].type", made_of("A", A="EIP712Domain it")),
    (Code.TYPE_UNKNOWN, "types.One[0].type", one("bool[0]", [])),
    (Code.TYPE_UNKNOWN, "types.One[0].type", one("bool[01]", [True])),
    (Code.TYPE_UNKNOWN, "types.One[0].type", one("bool[-1]", [])),
    (Code.TYPE_UNKNOWN, "types.One[0].type", one("bool]", [])),
    (Code.TYPE_UNKNOWN, "types.One[0].type", one("bool[][", [])),
    (Code.TYPE_UNKNOWN, "types.One[0].type", one("bool" + "[]" * 33, [])),
    (Code.TYPE_CYCLIC, "types.A", document("A", {}, A="B b", B="A a")),
    (Code.TYPE_CYCLIC, "types.A", document("A", {"a": []}, A="A[] a")),
    (Code.TYPE_UNUSED, "types.B", made_of("A", A="bool it", B="bool it")),
    (Code.PRIMARY_TYPE_UNKNOWN, "primaryType", changed(PERMIT, "primaryType", "Permit2")),
    (Code.PRIMARY_TYPE_UNKNOWN, "primaryType", changed(PERMIT, "primaryType", "EIP712Domain")),
    (Code.PRIMARY_TYPE_UNKNOWN, "primaryType", changed(PERMIT, "primaryType", None)),
    *((Code.BOOLEAN_INVALID, "message.it", one("bool", value)) for value in NO_BOOLEANS),
    *((Code.INTEGER_INVALID, "message.it", one("int256", value)) for value in NO_INTEGERS),
    *((Code.INTEGER_OUT_OF_RANGE, "message.it", one(*pair)) for pair in TOO_LARGE),
    *((Code.ADDRESS_INVALID, "message.it", one("address", value)) for value in NO_ADDRESSES),
    (Code.ADDRESS_INVALID, CONTRACT, changed(PERMIT, CONTRACT, "")),
    *((Code.BYTES_INVALID, "message.it", one("bytes", value)) for value in NO_BYTES),
    (Code.BYTES_LENGTH_WRONG, "message.it", one("bytes4", "0x")),
    (Code.BYTES_LENGTH_WRONG, "message.it", one("bytes4", "0x010203")),
    (Code.BYTES_LENGTH_WRONG, "message.it", one("bytes4", "0x0102030405")),
    (Code.BYTES_LENGTH_WRONG, "domain.salt", changed(MAIL, "domain.salt", "0x01")),
    (Code.ARRAY_LENGTH_WRONG, "message.it", one("bool[2]", [True])),
    (Code.ARRAY_LENGTH_WRONG, "message.it[1]", one("bool[1][2]", [[True], [True, True]])),
    (Code.DOMAIN_TYPE_MISMATCH, DOMAIN, without(PERMIT, "domain.version")),
    (Code.DOMAIN_TYPE_MISMATCH, DOMAIN, changed(PERMIT, "domain.salt", "0x" + "00" * 32)),
    (Code.DOMAIN_TYPE_MISMATCH, DOMAIN, changed(PERMIT, DOMAIN, members(DOMAIN_SWAPPED))),
    (Code.DOMAIN_TYPE_MISMATCH, DOMAIN, changed(PERMIT, f"{DOMAIN}.2.type", "uint64")),
    (Code.TYPE_UNKNOWN, f"{DOMAIN}[2].type", changed(PERMIT, f"{DOMAIN}.2.type", "uint256[")),
    (Code.CHAIN_MISMATCH, "domain.chainId", changed(PERMIT, "domain.chainId", 1)),
    (Code.CHAIN_MISMATCH, "domain.chainId", changed(PERMIT, "domain.chainId", hex(CHAIN + 1))),
    (Code.CHAIN_MISMATCH, "domain.chainId", changed(PERMIT, "domain.chainId", 0)),
]


@pytest.mark.parametrize(("code", "location", "made"), ROWS)
def test_each_violation_is_reported_with_its_place(code: Code, location: str, made: Any) -> None:
    with pytest.raises(TypedDataError) as refusal:
        read(made)
    assert (refusal.value.code, refusal.value.location) == (code, location)
    assert str(refusal.value) == f"{location} {refusal.value.reason}"
    assert refusal.value.reason.endswith(".")


def test_every_code_has_a_row() -> None:
    assert {code for code, _, _ in ROWS} == set(Code)


@pytest.mark.parametrize(
    "made",
    [
        PERMIT,
        MAIL,
        TEXT,
        nested(DEPTH_MAX),
        arrays(DEPTH_MAX - 1),
        types(128),
        changed(MAIL, "message.to", []),
        one("string", "a" * 130_000),
        one("uint256", 2**256 - 1),
        one("uint256", "0x" + "f" * 64),
        one("int8", "-128"),
        one("address", OWNER.lower()),
        one("address", "0x" + OWNER[2:].upper()),
        one("bytes4", "0xABcdef01"),
        one("bytes", "0x"),
        made_of("HyperliquidTransaction:UsdSend", **{"HyperliquidTransaction:UsdSend": "bool it"}),
        document("Empty", {}, Empty=""),
        document("Permit", PERMIT["message"], Permit=PERMIT_MEMBERS) | {"domain": {}},
    ],
)
def test_the_boundary_value_of_each_row_is_accepted(made: Any) -> None:
    assert len(read(made).digest) == 32


def test_an_error_repeats_no_value_of_the_document() -> None:
    for _, _, made in ROWS:
        with pytest.raises(TypedDataError) as refusal:
            read(made)
        assert str(refusal.value).isprintable()
        assert str(refusal.value).isascii()


def test_a_message_for_another_chain_is_rejected_by_its_domain() -> None:
    with pytest.raises(TypedDataError, match=r"domain\.chainId .*8453"):
        read(changed(PERMIT, "domain.chainId", 1))
