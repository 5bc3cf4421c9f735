"""The demo: in a temporary folder, repeated on one folder, and checked with eth_account."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_account.typed_transactions.set_code_transaction import Authorization
from eth_keys.datatypes import Signature
from eth_utils.address import to_canonical_address

import sixgate
from tests.harness.cli.command_line import CommandLine, Ended, InProcess, served

ROOT = Path(sixgate.__file__).parents[1]
LINES = [json.loads(line) for line in (ROOT / "examples/intents.jsonl").read_text().splitlines()]


def played(cli: CommandLine) -> dict[str, Any]:
    shown: dict[str, Any] = cli.ok("demo", "--json").json
    assert shown["as_expected"]
    assert [i["ended"] for i in shown["intents"]] == [line["expect"] for line in LINES]
    return shown


@dataclass(frozen=True)
class Shown:
    """The demo's output for its runs on one folder, and a producer's result afterwards."""

    runs: list[dict[str, Any]]
    submitted: Ended


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Play twice on a folder at rest; play once and submit through a running ``up``."""
    cli = InProcess(tmp_path_factory.mktemp("show") / "demo")
    at_rest = [played(cli), played(cli)]
    with served(cli) as running:
        through_up = played(running)
        submitted = running.ok("submit", str(ROOT / "examples/intents.jsonl"), "--json")
    return Shown([*at_rest, through_up], submitted)


@pytest.fixture
def show(shown: Shown) -> dict[str, Any]:
    return shown.runs[0]


def test_by_default_no_files_remain(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    ended = CommandLine(None).run("demo", more={"TMPDIR": str(temporary)})
    assert ended.code == 0, ended.err
    assert f"{len(LINES)} of {len(LINES)} " in ended.out
    lines = [line for line in ended.out.splitlines() if str(temporary) not in line]
    assert max(map(len, lines)) <= 120
    assert list(temporary.iterdir()) == []


def test_it_prints_each_command_and_finds_an_edited_row(tmp_path: Path) -> None:
    ended = InProcess(tmp_path / "demo").ok("demo")
    commands = [line for line in ended.out.splitlines() if line.startswith("$ ")]
    typed = "init agents keys submit intents ledger"
    assert all(any(f"sixgate {word} " in line for line in commands) for word in typed.split())
    edit = next(number for number, line in enumerate(commands) if "sed -i" in line)
    before, after = ended.out.split(commands[edit])
    assert "are valid; the last hash" in before
    assert "Row 0: its hash does not match its content" in after


def test_it_runs_again_and_again_on_one_folder_and_through_a_running_up(shown: Shown) -> None:
    keys = {i["result"].get("idempotency_key") for show in shown.runs for i in show["intents"]}
    assert len(keys) > len(shown.runs) * 15, "a later run used an earlier run's keys"
    nonces = [
        (r["sender"], r["chain_id"], r["nonce"])
        for show in shown.runs
        for r in (i["result"] for i in show["intents"] if not i["repeated"])
        if r["type"] == "transaction.signed"
    ]
    assert len(nonces) == len(set(nonces)) == len(shown.runs) * 12
    left = {row["account"]: int(row["left_wei"]) for row in shown.runs[-1]["budgets"]}
    assert all(wei > 0 for wei in left.values())


def signed(show: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        i["label"]: i["result"]
        for i in show["intents"]
        if i["ended"] == "signed" and not i["repeated"] and i["result"]["type"] == kind
    }


def test_senders_match_eth_account(show: dict[str, Any]) -> None:
    transactions = signed(show, "transaction.signed")
    assert {result.get("tx_type", 2) for result in transactions.values()} == {0, 1, 2, 3, 4}
    for label, result in transactions.items():
        recovered = Account.recover_transaction(result["raw_transaction"]).lower()
        assert recovered == show["senders"][label] == result["sender"]


def test_message_signers_match_eth_account(show: dict[str, Any]) -> None:
    asked = {line["label"]: line for line in LINES}
    messages = signed(show, "message.signed")
    assert {r["kind"] for r in messages.values()} == {
        "personal_sign",
        "typed_data",
        "authorization",
    }
    for label, result in messages.items():
        recovered = recovered_by_eth_account(asked[label], result)
        assert recovered == show["senders"][label] == result["sender"]


def recovered_by_eth_account(line: dict[str, Any], result: dict[str, Any]) -> str:
    signature = result["message_signature"]
    if line["kind"] == "authorization":
        r, s, v = int(signature[2:66], 16), int(signature[66:130], 16), int(signature[130:], 16)
        terms = Authorization(8453, to_canonical_address(line["delegate"]), result["nonce"])
        key = Signature(vrs=(v - 27, r, s)).recover_public_key_from_msg_hash(terms.hash())
        return str(key.to_address())
    if line["kind"] == "personal_sign":
        message = encode_defunct(text=line["message"])
    else:
        message = encode_typed_data(full_message=line["typed_data"])
    return str(Account.recover_message(message, signature=signature)).lower()


def test_fees_name_their_source(show: dict[str, Any]) -> None:
    sources = {
        (i["result"]["gas_from"], i["result"]["fees_from"])
        for i in show["intents"]
        if i["result"]["type"] == "transaction.signed"
    }
    assert {gas for gas, _ in sources} == {"intent", "simulation", "chain-defaults"}
    assert {fees for _, fees in sources} == {"intent", "chain-defaults"}


def test_a_folder_of_another_organisation_is_refused(cli: InProcess) -> None:
    ended = cli.run("demo")
    assert ended.code == 5
    assert "acme" in ended.sentence


def test_its_intents_can_be_submitted_by_a_producer(shown: Shown) -> None:
    assert all(line["expected"] for line in shown.submitted.lines)
    assert "7 lines" in shown.submitted.err
    assert "sixgate demo" in shown.submitted.err


def test_invalid_demo_lines_are_refused(tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    examples.mkdir()
    (examples / "policies").symlink_to(ROOT / "examples" / "policies")
    (examples / "intents.jsonl").write_text('{"demo": "bribe", "label": "x"}\n')
    cli = InProcess(tmp_path / "demo")
    ended = cli.run("demo", "--examples", str(examples))
    assert ended.code == 2
    assert "replay, changed" in ended.sentence
