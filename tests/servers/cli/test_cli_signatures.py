"""Single signatures from the command line: each kind signed, refused, or wrong as written."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data

from tests.harness.builders.waiting import until
from tests.harness.cli.command_line import CommandLine, served

TO = "0x742d35Cc6634C0532925a3b844Bc454e4438f44e"
CHAIN = ("--chain", "base")
PERMIT: dict[str, Any] = {
    "types": {
        "EIP712Domain": [
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Permit": [
            {"name": "owner", "type": "address"},
            {"name": "spender", "type": "address"},
            {"name": "value", "type": "uint256"},
            {"name": "nonce", "type": "uint256"},
            {"name": "deadline", "type": "uint256"},
        ],
    },
    "primaryType": "Permit",
    "domain": {"chainId": 8453, "verifyingContract": TO},
    "message": {"owner": TO, "spender": TO, "value": "1", "nonce": "0", "deadline": "1"},
}
VOTE: dict[str, Any] = PERMIT | {
    "types": {
        "EIP712Domain": PERMIT["types"]["EIP712Domain"],
        "Vote": [{"name": "yes", "type": "bool"}],
    },
    "primaryType": "Vote",
    "message": {"yes": True},
}


@pytest.fixture(scope="module")
def open_minded(
    organisation: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """Serve a folder whose agent may sign messages and delegate to one contract."""
    cli = organisation.copy(tmp_path_factory.mktemp("signatures") / "data")
    cli.ok("agents", "update", "payroll", "--messages", "--delegates", TO)
    cli.ok("agents", "update", "payroll", "--typed-data-default", "allow")
    with served(cli) as running:
        yield running


def address(cli: CommandLine) -> str:
    (key,) = cli.ok("keys", "list", "--json").json
    return str(key["address"])


@pytest.mark.parametrize(
    ("tx_type", "fees"),
    [
        ("0", ("--gas-price-gwei", "1")),
        ("1", ("--type", "1", "--gas-price-gwei", "1")),
        ("2", ("--max-fee-gwei", "1", "--priority-fee-gwei", "0.1")),
        ("3", ("--type", "3", "--blob-fee-gwei", "1", "--blob-hash", "0x01" + "ab" * 31)),
    ],
)
def test_a_transaction_is_signed_and_taken_apart_again(
    open_minded: CommandLine, tx_type: str, fees: tuple[str, ...]
) -> None:
    words = ("tx", "sign", "payroll", "--to", TO, "--value", "0.01", *CHAIN, "--gas-limit", "30000")
    event = open_minded.ok(*words, *fees, "--json").json
    found = open_minded.ok("tx", "decode", event["raw_transaction"], "--json").json
    assert str(found["type"]) == tx_type
    assert (found["sender"], found["hash"]) == (event["sender"], event["transaction_hash"])
    assert found["sender"] == address(open_minded)
    assert (found["to"], found["value_wei"]) == (TO.lower(), "1" + "0" * 16)


def test_a_message_is_signed_for_whoever_recovers_it(open_minded: CommandLine) -> None:
    event = open_minded.ok("message", "sign", "payroll", "I am me", *CHAIN, "--json").json
    asked = encode_defunct(text="I am me")
    recovered = Account.recover_message(asked, signature=event["message_signature"])
    assert recovered.lower() == event["sender"] == address(open_minded)


def test_a_message_may_come_from_standard_input(open_minded: CommandLine) -> None:
    words = ("message", "sign", "payroll", "-", *CHAIN, "--json")
    event = open_minded.ok(*words, stdin="two\nlines\n").json
    asked = encode_defunct(text="two\nlines\n")
    recovered = Account.recover_message(asked, signature=event["message_signature"])
    assert recovered.lower() == address(open_minded)


def test_bytes_that_are_no_text_are_signed_as_they_are(open_minded: CommandLine) -> None:
    as_hex = ("message", "sign", "payroll", "0xfffe", "--hex", *CHAIN, "--json")
    piped = ("message", "sign", "payroll", "-", *CHAIN, "--json")
    digest = open_minded.ok(*as_hex).json["signed_digest"]
    assert open_minded.ok(*piped, stdin="\udcff\udcfe").json["signed_digest"] == digest


def test_the_most_a_blob_transaction_costs_is_shown_with_its_blobs(
    open_minded: CommandLine,
) -> None:
    words = ("tx", "sign", "payroll", "--to", TO, "--value", "0", *CHAIN, "--gas-limit", "21000")
    blobs = ("--type", "3", "--blob-fee-gwei", "100", "--blob-hash", "0x01" + "cd" * 31)
    fees = ("--max-fee-gwei", "1", "--priority-fee-gwei", "1")
    event = open_minded.ok(*words, *blobs, *fees, "--json").json

    def shown() -> str:
        return open_minded.run("intents", "show", event["intent"]).out

    until(lambda: "fee at most" in shown())
    assert "0.0131282 ETH" in shown().split("fee at most")[1]


def test_typed_data_is_signed_from_a_file(open_minded: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "vote.json"
    file.write_text(json.dumps(VOTE))
    words = ("typed-data", "sign", "payroll", str(file), *CHAIN, "--json")
    event = open_minded.ok(*words).json
    asked = encode_typed_data(full_message=VOTE)
    recovered = Account.recover_message(asked, signature=event["message_signature"])
    assert recovered.lower() == address(open_minded)


def test_what_can_spend_is_refused_although_the_default_allows(
    open_minded: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "permit.json"
    file.write_text(json.dumps(PERMIT))
    ended = open_minded.run("typed-data", "sign", "payroll", str(file), *CHAIN, "--json")
    assert (ended.code, ended.json["reason"]) == (3, "spending_not_allowed")


def test_typed_data_for_every_chain_passes_no_policy_that_names_chains(
    open_minded: CommandLine, tmp_path: Path
) -> None:
    types = VOTE["types"] | {"EIP712Domain": [{"name": "verifyingContract", "type": "address"}]}
    file = tmp_path / "everywhere.json"
    file.write_text(json.dumps(VOTE | {"types": types, "domain": {"verifyingContract": TO}}))
    ended = open_minded.run("typed-data", "sign", "payroll", str(file), *CHAIN, "--json")
    assert (ended.code, ended.json["reason"]) == (3, "chain_not_allowed")


def test_a_delegation_is_signed_only_to_a_listed_contract(open_minded: CommandLine) -> None:
    words = ("authorization", "sign", "payroll", *CHAIN, "--json", "--delegate")
    assert open_minded.ok(*words, TO).json["delegate"] == TO.lower()
    ended = open_minded.run(*words, "0x" + "99" * 20)
    assert (ended.code, ended.json["reason"]) == (3, "delegate_not_allowed")


def test_a_delegation_and_the_transaction_that_carries_it_share_no_nonce(
    open_minded: CommandLine,
) -> None:
    delegation = ("authorization", "sign", "payroll", *CHAIN, "--json", "--delegate", TO)
    transfer = ("tx", "sign", "payroll", "--to", TO, "--value", "0.001", *CHAIN, "--json")
    first = open_minded.ok(*delegation).json["nonce"]
    carried = open_minded.ok(*delegation, "--nonce", str(first + 2)).json["nonce"]
    nonces = [open_minded.ok(*transfer).json["nonce"] for _ in range(2)]
    assert [first, *nonces, carried] == [first, first + 1, first + 3, first + 2]
    again = open_minded.run(*delegation, "--nonce", str(first))
    assert (again.code, again.json["reason"]) == (3, "nonce_used")


@pytest.mark.parametrize(
    ("words", "shown", "kept"),
    [
        (
            ("tx", "sign", "payroll", "--to", TO, "--value", "0.001"),
            "raw transaction",
            "raw digest",
        ),
        (("message", "sign", "payroll", "I am me too"), "signature", "signature digest"),
    ],
)
def test_people_see_the_signed_bytes_at_once_and_their_digest_in_the_ledger(
    open_minded: CommandLine, words: tuple[str, ...], shown: str, kept: str
) -> None:
    told = open_minded.ok(*words, *CHAIN).out
    lines = dict(re.findall(r"^(\S.*?)(?: {2,}|\n +)(\S.*)$", told, re.MULTILINE))
    assert lines[shown].startswith("0x")

    def in_ledger() -> str:
        return open_minded.run("intents", "show", lines["intent"]).out

    until(lambda: kept in in_ledger())
    assert lines["sender"] in in_ledger()
    assert lines[shown] not in in_ledger()


def test_a_refusal_says_what_helps(open_minded: CommandLine) -> None:
    ended = open_minded.run("message", "sign", "payroll", "0x" + "ab" * 32, "--hex", *CHAIN)
    assert ended.code == 3
    assert "raw_hash" in ended.out
    assert "--raw-hashes" in ended.out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("tx", "sign", "payroll", "--to", "0x12", "--value", "1", *CHAIN), "to: "),
        (("tx", "sign", "payroll", "--to", TO, "--value", "1e18", *CHAIN), "value: "),
        (("tx", "sign", "nobody", "--to", TO, "--value", "1", *CHAIN), "agent nobody"),
        (("tx", "sign", "payroll", "--to", TO, "--value", "1", "--chain", "atlantis"), "chain: "),
        (("message", "sign", "payroll", "zz", "--hex", *CHAIN), "message_hex: "),
        (("typed-data", "sign", "payroll", "-", *CHAIN), "JSON"),
        (("tx", "decode", "0x02"), "signed transaction"),
        (("tx", "decode", "zz"), "HEX"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(
    open_minded: CommandLine, words: tuple[str, ...], why: str
) -> None:
    before = len(open_minded.ok("intents", "list", "--limit", "1000", "--json").json)
    ended = open_minded.run(*words)
    assert ended.code == 2
    assert why in ended.sentence
    assert len(open_minded.ok("intents", "list", "--limit", "1000", "--json").json) == before
