"""Single signatures: each kind is signed, rejected, or refused as invalid."""

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
def permissive(
    organisation: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """Serve a folder with an agent that may sign messages and delegate to one contract."""
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
def test_a_transaction_is_signed_and_decoded(
    permissive: CommandLine, tx_type: str, fees: tuple[str, ...]
) -> None:
    words = ("tx", "sign", "payroll", "--to", TO, "--value", "0.01", *CHAIN, "--gas-limit", "30000")
    event = permissive.ok(*words, *fees, "--json").json
    found = permissive.ok("tx", "decode", event["raw_transaction"], "--json").json
    assert str(found["type"]) == tx_type
    assert (found["sender"], found["hash"]) == (event["sender"], event["transaction_hash"])
    assert found["sender"] == address(permissive)
    assert (found["to"], found["value_wei"]) == (TO.lower(), "1" + "0" * 16)


def test_a_message_signature_recovers_to_the_sender(permissive: CommandLine) -> None:
    event = permissive.ok("message", "sign", "payroll", "I am me", *CHAIN, "--json").json
    asked = encode_defunct(text="I am me")
    recovered = Account.recover_message(asked, signature=event["message_signature"])
    assert recovered.lower() == event["sender"] == address(permissive)


def test_a_message_may_come_from_standard_input(permissive: CommandLine) -> None:
    words = ("message", "sign", "payroll", "-", *CHAIN, "--json")
    event = permissive.ok(*words, stdin="two\nlines\n").json
    asked = encode_defunct(text="two\nlines\n")
    recovered = Account.recover_message(asked, signature=event["message_signature"])
    assert recovered.lower() == address(permissive)


def test_bytes_other_than_text_are_signed_unchanged(permissive: CommandLine) -> None:
    as_hex = ("message", "sign", "payroll", "0xfffe", "--hex", *CHAIN, "--json")
    piped = ("message", "sign", "payroll", "-", *CHAIN, "--json")
    digest = permissive.ok(*as_hex).json["signed_digest"]
    assert permissive.ok(*piped, stdin="\udcff\udcfe").json["signed_digest"] == digest


def test_the_maximum_fee_includes_blobs(
    permissive: CommandLine,
) -> None:
    words = ("tx", "sign", "payroll", "--to", TO, "--value", "0", *CHAIN, "--gas-limit", "21000")
    blobs = ("--type", "3", "--blob-fee-gwei", "100", "--blob-hash", "0x01" + "cd" * 31)
    fees = ("--max-fee-gwei", "1", "--priority-fee-gwei", "1")
    event = permissive.ok(*words, *blobs, *fees, "--json").json

    def shown() -> str:
        return permissive.run("intents", "show", event["intent"]).out

    until(lambda: "fee at most" in shown())
    assert "0.0131282 ETH" in shown().split("fee at most")[1]


def test_typed_data_is_signed_from_a_file(permissive: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "vote.json"
    file.write_text(json.dumps(VOTE))
    words = ("typed-data", "sign", "payroll", str(file), *CHAIN, "--json")
    event = permissive.ok(*words).json
    asked = encode_typed_data(full_message=VOTE)
    recovered = Account.recover_message(asked, signature=event["message_signature"])
    assert recovered.lower() == address(permissive)


def test_spending_typed_data_is_refused_despite_the_default(
    permissive: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "permit.json"
    file.write_text(json.dumps(PERMIT))
    ended = permissive.run("typed-data", "sign", "payroll", str(file), *CHAIN, "--json")
    assert (ended.code, ended.json["reason"]) == (3, "spending_not_allowed")


def test_typed_data_for_every_chain_passes_no_policy_that_names_chains(
    permissive: CommandLine, tmp_path: Path
) -> None:
    types = VOTE["types"] | {"EIP712Domain": [{"name": "verifyingContract", "type": "address"}]}
    file = tmp_path / "everywhere.json"
    file.write_text(json.dumps(VOTE | {"types": types, "domain": {"verifyingContract": TO}}))
    ended = permissive.run("typed-data", "sign", "payroll", str(file), *CHAIN, "--json")
    assert (ended.code, ended.json["reason"]) == (3, "chain_not_allowed")


def test_a_delegation_is_signed_only_to_a_listed_contract(permissive: CommandLine) -> None:
    words = ("authorization", "sign", "payroll", *CHAIN, "--json", "--delegate")
    assert permissive.ok(*words, TO).json["delegate"] == TO.lower()
    ended = permissive.run(*words, "0x" + "99" * 20)
    assert (ended.code, ended.json["reason"]) == (3, "delegate_not_allowed")


def test_a_delegation_and_the_transaction_that_carries_it_share_no_nonce(
    permissive: CommandLine,
) -> None:
    delegation = ("authorization", "sign", "payroll", *CHAIN, "--json", "--delegate", TO)
    transfer = ("tx", "sign", "payroll", "--to", TO, "--value", "0.001", *CHAIN, "--json")
    first = permissive.ok(*delegation).json["nonce"]
    carried = permissive.ok(*delegation, "--nonce", str(first + 2)).json["nonce"]
    nonces = [permissive.ok(*transfer).json["nonce"] for _ in range(2)]
    assert [first, *nonces, carried] == [first, first + 1, first + 3, first + 2]
    again = permissive.run(*delegation, "--nonce", str(first))
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
def test_signed_bytes_are_printed_and_the_ledger_has_their_digest(
    permissive: CommandLine, words: tuple[str, ...], shown: str, kept: str
) -> None:
    shown_text = permissive.ok(*words, *CHAIN).out
    lines = dict(re.findall(r"^(\S.*?)(?: {2,}|\n +)(\S.*)$", shown_text, re.MULTILINE))
    assert lines[shown].startswith("0x")

    def in_ledger() -> str:
        return permissive.run("intents", "show", lines["intent"]).out

    until(lambda: kept in in_ledger())
    assert lines["sender"] in in_ledger()
    assert lines[shown] not in in_ledger()


def test_a_rejection_names_the_next_step(permissive: CommandLine) -> None:
    ended = permissive.run("message", "sign", "payroll", "0x" + "ab" * 32, "--hex", *CHAIN)
    assert ended.code == 3
    assert "raw_hash" in ended.out
    assert "--raw-hashes" in ended.out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("tx", "sign", "payroll", "--to", "0x12", "--value", "1", *CHAIN), "to: "),
        (("tx", "sign", "payroll", "--to", TO, "--value", "1e18", *CHAIN), "value: "),
        (("tx", "sign", "ghost", "--to", TO, "--value", "1", *CHAIN), "agent ghost"),
        (("tx", "sign", "payroll", "--to", TO, "--value", "1", "--chain", "atlantis"), "chain: "),
        (("message", "sign", "payroll", "zz", "--hex", *CHAIN), "message_hex: "),
        (("typed-data", "sign", "payroll", "-", *CHAIN), "JSON"),
        (("tx", "decode", "0x02"), "signed transaction"),
        (("tx", "decode", "zz"), "HEX"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_sent(
    permissive: CommandLine, words: tuple[str, ...], why: str
) -> None:
    before = len(permissive.ok("intents", "list", "--limit", "1000", "--json").json)
    ended = permissive.run(*words)
    assert ended.code == 2
    assert why in ended.sentence
    assert len(permissive.ok("intents", "list", "--limit", "1000", "--json").json) == before
