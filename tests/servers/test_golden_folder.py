"""A data folder of an earlier program opens, verifies, shows the same, and goes on.

Its clock is an hour after its last process died, so that its charges and keys are still in force,
whatever the date is. ``tests/golden`` has the folder and the program that made it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from schemas.topics import Topic
from sixgate.clocks import boot_ms, wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.key_files import load_key_file
from sixgate.services.embedded.node import Node
from streams.runners.clock import SteadyClock
from tests.golden.api_steps import SECRET, answer, caller, serving_requests
from tests.golden.generate import MODES, OWNED, PAY, VALUE, WITH_SHARE, intent, send
from tests.golden.opening import (
    DAY_MS,
    EXPECTED,
    HOUR_MS,
    clock_at,
    name_of,
    opened,
    sealed_share,
    shown,
    unpack,
)
from tests.harness.cli.command_line import InProcess
from tests.harness.judge.promises import check_boots, in_folder, read
from tests.harness.pipeline.embedded import open_pipeline
from tests.harness.pipeline.embedded_fixtures import ends
from tests.harness.signing_agents import TRANSFER

MALFORMED = b'{"agent":"payroll","value":0.5'  # the demo sent it, too
OPAQUE = "SELECT count() FROM ledger WHERE type = 'opaque' GROUP BY event_id"
FOUND: dict[str, Any] = json.loads(EXPECTED.read_bytes())


class Golden(NamedTuple):
    """The open folder, what it showed at first, and the outcomes that it had before."""

    node: Node
    cli: InProcess
    clients: Path
    shown: dict[str, Any]
    before: list[dict[str, Any]]


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Golden]:
    """Open a copy of the folder once; no test depends on what another one did."""
    root = tmp_path_factory.mktemp("golden")
    data = unpack(root)
    before = [json.loads(raw) for raw in in_folder(data)(Topic.OUTCOMES)]
    with clock_at(FOUND["opened_at_ms"]), opened(data) as (node, cli):
        yield Golden(node, cli, root / "clients", shown(node, cli, FOUND["rows"]), before)


def ended(golden: Golden, **changes: Any) -> dict[str, Any]:
    """Submit a payment and return its line of results."""
    (line,) = golden.cli.submit(PAY | changes)
    return dict(line)


@pytest.mark.parametrize("what", [name for name in FOUND if name not in ("opened_at_ms", "rows")])
def test_an_old_folder_shows_what_it_showed_before(golden: Golden, what: str) -> None:
    assert golden.shown[what] == FOUND[what]


def test_a_pinned_intent_of_a_dead_process_is_published_with_the_same_bytes(golden: Golden) -> None:
    decided = {one["intent"] for one in FOUND["intents"] if not one["repeats"]}
    (pinned,) = decided - {outcome["intent"] for outcome in golden.before}
    (once,) = [one for one in golden.shown["signed"] if one["intent"] == pinned]
    assert once in FOUND["signed"]
    assert once["decided_at_ms"] + HOUR_MS <= FOUND["opened_at_ms"]  # by the dead process


def test_an_old_ledger_verifies_with_both_verifiers(golden: Golden) -> None:
    verified = golden.cli.ok("ledger", "verify", "--json").json
    accounts = {one["account"] for one in FOUND["intents"]}
    assert verified["rows"] > FOUND["rows"]
    assert (verified["forged"], verified["accounts"]) == (0, len(accounts))


@pytest.mark.parametrize("agent", ["payroll", *map(name_of, MODES)])
def test_an_old_key_signs_with_the_next_nonce(golden: Golden, agent: str) -> None:
    mode = next((mode for mode in WITH_SHARE if name_of(mode) == agent), None)
    share = {"client_share": sealed_share(golden.cli, golden.clients, mode)} if mode else {}
    signed = ended(golden, agent=agent, **share)["result"]
    own = {
        "key_path": f"agents/{agent}/chains/ethereum/private_key",
        "chain_id": signed["chain_id"],
    }
    *_, last = [one for one in FOUND["signed"] if own.items() <= one.items()]
    assert (signed["sender"], signed["policy"]) == (last["sender"], last["policy"])
    assert signed["nonce"] == last["nonce"] + 1


def test_nonces_that_old_authorizations_use_are_skipped(golden: Golden) -> None:
    """The agent delegated with nonce 1 on Base, and with the next free one on every chain."""
    signed = [ended(golden, agent="wide", value="0")["result"]["nonce"] for _ in range(3)]
    assert signed == [0, 3, 4]


def test_a_rotated_and_an_imported_key_sign(golden: Golden) -> None:
    for path in ("wallets/turning", "wallets/mine"):
        (key,) = [k for k in FOUND["keys"] if (k["path"], k["state"]) == (path, "active")]
        assert ended(golden, key_path=path)["result"]["sender"] == key["address"]


def test_an_old_idempotency_key_repeats_the_first_outcome_and_signs_nothing(golden: Golden) -> None:
    keyed = {"idempotency_key": "invoice-1"}
    again = ended(golden, **keyed, expires_in_s=900)
    (repeated, *_) = [
        one for one in FOUND["intents"] if one["repeats"] and one["agent"] == "payroll"
    ]
    hashes = {one["transaction_hash"] for one in FOUND["intents"] if one["agent"] == "payroll"}
    assert again["repeated"] is True
    assert again["result"]["transaction_hash"] in hashes
    assert repeated["repeats"] == again["result"]["intent"]
    conflict = ended(golden, **keyed, value="0.03")["result"]
    assert conflict["reason"] == "idempotency_conflict"
    signed = [line["event"] for line in golden.cli.ok("signed", "--json").lines]
    assert len([one for one in signed if one["idempotency_key"] == "invoice-1"]) == 1


def test_old_charges_of_the_day_count_until_it_ends(golden: Golden, tmp_path: Path) -> None:
    """The account spent 24.5 of 25 ETH in the hour before its last process died."""
    assert ended(golden, value="0.6")["result"]["reason"] == "daily_limit_exceeded"
    folder = Folder(unpack(tmp_path))
    agent = load_key_file(folder.agent_key("payroll"), "payroll")
    tomorrow = SteadyClock(lambda: wall_ms() + DAY_MS, boot_ms)
    pipeline = open_pipeline(folder, tomorrow)  # without its ledger: a process opens only one
    late = {"value_wei": 6 * 10**17, "expires_at_ms": wall_ms() + DAY_MS + HOUR_MS}
    pipeline.submit(intent(agent, "tomorrow", **late))
    assert ends(pipeline.drain()) == ["signed"]
    pipeline.close()


@pytest.mark.parametrize(
    ("agent", "reason"), [("contractor", "agent_inactive"), ("brief", "agent_expired")]
)
def test_a_revoked_agent_stays_refused(golden: Golden, agent: str, reason: str) -> None:
    assert ended(golden, agent=agent)["result"]["reason"] == reason


def test_an_old_secret_is_read_in_every_mode(golden: Golden) -> None:
    clients = golden.clients
    shares = {mode: clients / f"{mode}.secret" for mode in WITH_SHARE}
    shares["2of3_client_custody"] = clients / "recovered.secret"
    read = ("secrets", "get", "prod", "shared/db", "--agent", "payroll")
    assert golden.cli.ok(*read, "--version", "1").out == "the first value"
    for vault, words in {
        "prod": (),
        "own-key": ("--customer-key", str(clients / "second.cmek")),
        **{f"v-{mode}": () for mode in MODES if mode not in shares},
        **{f"v-{mode}": ("--share", str(share)) for mode, share in shares.items()},
    }.items():
        got = golden.cli.ok("secrets", "get", vault, "shared/db", "--agent", "payroll", *words)
        assert got.out == VALUE, vault
    lost = str(clients / "2of3_client_custody.secret")
    former = ("secrets", "get", "v-2of3_client_custody", "shared/db", "--agent", "payroll")
    assert golden.cli.run(*former, "--share", lost).code == 4


def test_old_api_keys_read_what_was_made_over_http(golden: Golden) -> None:
    known = json.loads((golden.clients / "api.json").read_bytes())
    with serving_requests(golden.node, golden.cli.data) as client:
        bot = caller(client, known["bot"])
        base = f"/v1/agents/{known['agent']}/transactions"
        paid = answer(client.get(f"{base}/{known['transaction']}", headers=bot))
        assert paid["tx_hash"] in {one["transaction_hash"] for one in FOUND["intents"]}
        again = client.post(base, json=TRANSFER, headers=bot | {"Idempotency-Key": "by-http"})
        assert answer(again)["id"] == known["transaction"]
        secrets = f"/v1/vaults/{known['vault']}"
        assert answer(client.get(f"{secrets}/secrets/web/kept", headers=bot))["value"] == SECRET
        for gone in ("secret-version/web/kept/1", "secrets/web/removed"):
            assert client.get(f"{secrets}/{gone}", headers=bot).status_code in (404, 410), gone


def test_an_old_registry_and_its_ledger_go_on(golden: Golden) -> None:
    before = golden.node.registry()["sequence"]
    golden.cli.ok("agents", "update", "trader", "--rate", "700")
    golden.cli.ok("agents", "add", "newcomer", "--account", "treasury", "--policy-id", "payroll")
    golden.cli.ok("keys", "provision", "--agent", "newcomer")
    assert ended(golden, agent="newcomer")["outcome"] == "signed"
    assert golden.node.registry()["sequence"] > before
    golden.cli.ok("secrets", "put", "prod", "shared/new", "--generate", *OWNED)
    send(golden.node, b"garbage", MALFORMED)
    assert golden.cli.ok("ledger", "verify", "--json").json["rows"] > FOUND["rows"]
    found = read(in_folder(golden.cli.data))
    check_boots(found)
    assert found.strangers_ended()
    rows = golden.cli.ok("ledger", "sql", OPAQUE, "--json").json["rows"]
    assert sorted(int(count) for (count,) in rows) == [1, 2]
