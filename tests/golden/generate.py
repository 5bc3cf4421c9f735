"""Makes the golden folder anew: ``python -m tests.golden.generate``.

Never run it to make a test pass: a later program must open what an earlier one made. Its days:
``sixgate demo``; then every command that changes a folder; eight days later, after a rotation of
the share keys, the HTTP API; and at last a process that dies between pinning an intent and
publishing its outcome. Each is a boot of its own, and each has its clock.
"""

import base64
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.record import Outgoing
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.key_files import load_key_file
from sixgate.services.embedded.assembly import assemble
from sixgate.services.embedded.node import Node
from tests.golden.api_steps import use_api
from tests.golden.opening import (
    DAY_MS,
    HOUR_MS,
    clock_at,
    name_of,
    opened,
    pack,
    sealed_share,
    shown,
    unpack,
    write_expected,
)
from tests.harness.cli.command_line import InProcess
from tests.harness.pipeline.embedded import Producer

BEGINS = datetime(2026, 1, 5, 9, tzinfo=UTC)  # in the past of every later program
ORG, ACCOUNT = "sixgate-demo", "treasury"
OWNED = ("--account", ACCOUNT)
TO = "0x2E0b83371842dc0e3f6709E9e6d36c87fFCe7223"  # on the demo's allowlist of payroll
DELEGATE = "0x63c0c19a282a1B52b07dD5a65b58948A07DAE32B"  # on the one of trader
PAY: dict[str, Any] = {"agent": "payroll", "chain": "base", "to": TO, "value": "0.01"}
VALUE = "correct horse battery staple"
MODES = ("2of3_multi_hsm", "2of3_client_custody", "2of2_client_custody", "2of3_multi_hsm_client")
WITH_SHARE = MODES[1:]
CHAINS = ("bitcoin", "solana", "xrp", "cardano", "tron")
IMPORTED = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
WIDE = {
    "tx_to_allowlist": "any",
    "tx_max_value_eth": "unlimited",
    "tx_max_fee_eth": "unlimited",
    "tx_daily_limit_eth": "unlimited",
    "tx_allowed_chains": "any",
    "intents_per_minute": "unlimited",
    "allow_contract_creation": True,
    "message_signing_enabled": True,
    "allow_raw_hashes": True,
    "eip712_default_policy": "allow",
    "delegate_allowlist": [DELEGATE.lower()],
    "allow_any_chain_delegation": True,
}
CEILING = ("--gateway", "gateway-9", "--max-value-eth", "1", "--daily-limit-eth", "5")
ACCESS = {"access_list": [{"address": TO.lower(), "storage_keys": ["0x" + "00" * 31 + "03"]}]}


class Killed(Exception):  # noqa: N818 - stands for SIGKILL
    """Ends a process between two commits."""


def administer(cli: InProcess, clients: Path) -> None:
    """Change everything that a command can change, except keys and secrets."""
    files = {"wide": WIDE, "open": {"tx_allowed_chains": "any", "intents_per_minute": 5}}
    for name, policy in files.items():
        (clients / f"{name}.json").write_text(json.dumps(policy))
    new = (*OWNED, "--policy-id", "payroll")
    for words in (
        ("settings", "set", "idempotency.remember_ms", str(30 * DAY_MS)),
        ("settings", "set", "simulation.age_ms_max", "30000"),
        ("settings", "set", "org.tier", "business"),
        ("chains", "add", "31337", "anvil", "--alias", "local", "--testnet"),
        ("chains", "update", "base", "--max-fee-gwei", "0.5", "--priority-fee-gwei", "0.1"),
        ("chains", "remove", "zora"),
        ("settings", "set", "policies.require_explicit", "false"),
        ("agents", "add", "loose", *OWNED, "--policy", str(clients / "open.json")),
        ("settings", "set", "policies.require_explicit", "true"),
        ("agents", "add", "wide", "--account", "open-sea", "--policy", str(clients / "wide.json")),
        ("agents", "add", "brief", *new, "--expires-in", "1h"),
        ("agents", "add", "mute", *new, "--no-intents-api"),
        ("agents", "add", "remote", *new, "--public-key", "0x" + "11" * 32),
        ("agents", "add", "slow", *OWNED, "--policy", str(clients / "wide.json"), "--rate", "1"),
        ("agents", "update", "trader", "--daily-limit-eth", "24", "--expires-in", "30d"),
        ("services", "add", "registrar-9"),
        ("services", "deactivate", "registrar-9"),
        ("services", "add", "gateway-9", "--role", "gateway"),
        ("agents", "add", "guest", *new, "--gateway", "gateway-9"),
        ("admins", "add", "retired", *OWNED, "--public-key", "0x" + "22" * 32, *CEILING),
        ("admins", "remove", "retired"),
        ("services", "deactivate", "gateway-9"),
    ):
        cli.ok(*words)


def make_keys(cli: InProcess, clients: Path) -> None:
    """Make keys on all chains; rotate, deactivate and import some; make vaults of all modes."""
    for mode in MODES:
        cli.ok("vaults", "create", f"v-{mode}", *OWNED, "--mode", mode)
    cli.ok("vaults", "create", "prod", *OWNED)
    for chain in CHAINS:
        cli.ok("keys", "provision", "--chain", chain, *OWNED)
    cli.ok("keys", "provision", "agents/payroll/chains/tron/private_key", "--agent", "payroll")
    for agent in ("wide", "slow", "loose", "brief", "mute"):
        cli.ok("keys", "provision", "--agent", agent)
    for name in ("turning", "ending"):
        cli.ok("keys", "provision", f"wallets/{name}", "--agent", "payroll")
    submit(cli, PAY | {"key_path": "wallets/turning"})
    cli.ok("keys", "rotate", "wallets/turning", "--agent", "payroll")
    cli.ok("keys", "deactivate", "wallets/ending", *OWNED)
    cli.ok("keys", "import", "-", "wallets/mine", "--agent", "payroll", stdin=IMPORTED)
    for mode in MODES:
        safe, out = name_of(mode), share_out(clients, f"{mode}.key") if mode in WITH_SHARE else ()
        cli.ok("vaults", "set-mode", "__agent-keys", mode, "--account", safe)
        cli.ok("agents", "add", safe, "--account", safe, "--policy", str(clients / "wide.json"))
        cli.ok("keys", "provision", "--agent", safe, *out)


def make_secrets(cli: InProcess, clients: Path) -> None:
    """Store versions of secrets in all modes, read, rotate vault keys, recover, enrol a key."""
    cli.ok("access", "grant", "payroll", "*", "shared/**", "--rights", "read,write")
    cli.ok("access", "deny", "payroll", "prod", "shared/root", "--rights", "read")
    cli.ok("secrets", "put", "prod", "shared/db", "-", *OWNED, stdin="the first value")
    cli.ok("secrets", "rotate", "prod", "shared/db", "-", "--agent", "payroll", stdin=VALUE)
    cli.ok("secrets", "put", "prod", "shared/root", "--generate", "--kind", "api_key", *OWNED)
    cli.ok("secrets", "get", "prod", "shared/db", "--agent", "payroll")
    assert cli.run("secrets", "get", "prod", "shared/root", "--agent", "payroll").code
    for mode in MODES:
        out = share_out(clients, f"{mode}.secret") if mode in WITH_SHARE else ()
        cli.ok("secrets", "put", f"v-{mode}", "shared/db", "-", *OWNED, *out, stdin=VALUE)
    recover = ("vaults", "recover", "v-2of3_client_custody", "shared/db", *OWNED)
    cli.ok(*recover, "--why", "a test lost it", *share_out(clients, "recovered.secret"))
    for words in ((), ("--root",)):
        cli.ok("vaults", "rotate-key", "prod", *OWNED, *words)
    cli.ok("vaults", "rotate-key", "v-2of3_multi_hsm", *OWNED, "--root", "--provider", "aws")
    first, second = ("--key", str(clients / "first.cmek")), str(clients / "second.cmek")
    cli.ok("vaults", "create", "own-key", *OWNED)
    cli.ok("cmek", "enrol", "own-key", *OWNED, *first)
    put = ("secrets", "put", "own-key", "shared/db", "-", *OWNED, "--customer-key", first[1])
    cli.ok(*put, stdin=VALUE)
    cli.ok("cmek", "rotate", "own-key", "--agent", "payroll", *first, "--new-key", second)


def submit_refused(node: Node, cli: InProcess) -> None:
    """Submit an intent for each reason that the demo does not have, and a repetition."""
    sea, spend = {"agent": "wide", "chain": "sepolia", "to": TO}, {"key_path": "wallets/ending"}
    typed = {"kind": "typed_data", "agent": "trader", "chain": "ethereum"}
    message = {"kind": "personal_sign", "chain": "base"}
    keyed = PAY | {"idempotency_key": "invoice-1"}
    delegation = {"kind": "authorization", "delegate": DELEGATE, "agent": "wide", "chain": "base"}
    submit(
        cli,
        keyed,
        PAY | {"agent": "slow"},
        sea | {"value": "0", "gas_limit": 60_000, "gas_price_gwei": "1"} | ACCESS,
        sea | {"to": None, "data": "0x6001", "value": "0", "gas_limit": 90_000},
        delegation | {"nonce": 1},
        delegation | {"chain": 0},
        message | {"agent": "wide", "message_hex": "0x" + "9c" * 32},
    )
    submit(
        cli,
        keyed | {"expires_in_s": 700},
        keyed | {"value": "0.02", "expect": "idempotency_conflict"},
        PAY | {"agent": "slow", "expect": "rate_exceeded"},
        PAY | {"agent": "mute", "expect": "intents_api_off"},
        PAY | {"agent": "loose", "expect": "policy_not_explicit"},
        PAY | {"to": None, "data": "0x6001", "gas_limit": 90_000, "expect": "contract_creation"},
        PAY | {"nonce": 99, "expect": "nonce_too_high"},
        PAY | spend | {"expect": "key_inactive"},
        PAY | {"key_path": "agents/payroll/keys/none", "expect": "key_unknown"},
        PAY | {"key_path": "agents/payroll/chains/tron/private_key", "expect": "key_chain_wrong"},
        PAY | {"agent": name_of(MODES[1]), "expect": "client_share_missing"},
        sea | {"chain": "anvil", "value": "0", "expect": "fee_unknown"},
        message | {"agent": "payroll", "message": "no", "expect": "message_signing_off"},
        typed | {"typed_data": {"types": {}}, "expect": "invalid_typed_data"},
        delegation | {"agent": "trader", "chain": 0, "expect": "any_chain_delegation"},
    )
    stranger = Ed25519Signer("nobody", b"n" * 32)
    agent = load_key_file(Folder(cli.data).agent_key("payroll"), "payroll")
    send(node, intent(stranger, "unknown-agent"), intent(agent, "unknown-chain", chain_id=4_242))


def spend_with_shares(cli: InProcess, clients: Path) -> None:
    """Sign with keys in client custody; use one share for another key; meet an expired agent."""
    boxes = {mode: sealed_share(cli, clients, mode) for mode in WITH_SHARE}
    spent = [PAY | {"agent": name_of(mode), "client_share": boxes[mode]} for mode in WITH_SHARE]
    spent += [PAY | {"agent": name_of(MODES[0])}, PAY | {"agent": "slow", "value": "24.5"}]
    wrong = spent[0] | {"client_share": boxes[MODES[2]], "expect": "client_share_wrong"}
    expired = PAY | {"agent": "brief", "expect": "agent_expired"}
    submit(cli, *spent, wrong, expired)


def die_before_publishing(folder: Folder) -> None:
    """Pin one intent, and die before its outcome is signed and committed."""
    submitted = False

    def on_commit(events: Sequence[Outgoing]) -> None:
        assert not any(event.topic is Topic.OUTCOMES for event in events)
        if submitted:
            raise Killed

    parts = assemble(folder, on_commit)
    try:
        parts.start()
        while parts.runner.step():
            continue
        agent = load_key_file(folder.agent_key("payroll"), "payroll")
        parts.inbox.append([Outgoing(Topic.SUBMITTED, ACCOUNT, intent(agent, "pinned"))], wall_ms())
        submitted = True
        parts.runner.step()
    except Killed:
        return
    finally:
        parts.close()
    raise AssertionError("nothing was pinned")


def intent(agent: Ed25519Signer, key: str, **changes: Any) -> bytes:
    """Return a signed intent that no command would send."""
    own = {"org": ORG, "to": TO.lower(), "key_path": "agents/payroll/chains/ethereum/private_key"}
    return Producer(agent, ACCOUNT, wall_ms).signed(key, **own | changes)


def send(node: Node, *values: bytes) -> None:
    """Submit records and wait until each has ended."""
    records = [{"key": ACCOUNT, "value": base64.b64encode(value).decode()} for value in values]
    assert list(node.submit(records, wait=True))


def submit(cli: InProcess, *intents: dict[str, Any]) -> None:
    """Submit intents; each must end as it expects."""
    cli.ok("submit", "-", stdin="".join(json.dumps(one) + "\n" for one in intents))


def share_out(clients: Path, name: str) -> tuple[str, str]:
    """Return the option that names the file of a client's share."""
    return "--share-out", str(clients / name)


def generate(root: Path) -> int:
    """Make the folder below ``root``; return the time at which its last process died."""
    data, clients = root / "data", root / "clients"
    clients.mkdir()
    with clock_at(int(BEGINS.timestamp() * 1000)) as clock:
        InProcess(data).ok("demo", "--data", str(data))
        clock.forward(DAY_MS)
        with opened(data) as (node, cli):
            administer(cli, clients)
            make_keys(cli, clients)
            make_secrets(cli, clients)
            submit_refused(node, cli)
        clock.forward(8 * DAY_MS)
        with opened(data) as (node, cli):
            spend_with_shares(cli, clients)
            use_api(node, cli, clients)
        die_before_publishing(Folder(data))
        return wall_ms()


def main() -> None:
    """Write the archive, and what a copy of it shows after the start of this program."""
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as copied:
        died_at_ms = generate(Path(made))
        pack(Path(made))
        at_ms = died_at_ms + HOUR_MS
        with clock_at(at_ms), opened(unpack(Path(copied))) as (node, cli):
            times = cli.ok("ledger", "sql", "SELECT at_ms FROM ledger", "--json").json["rows"]
            rows = sum(int(row_ms) <= died_at_ms for (row_ms,) in times)
            write_expected({"opened_at_ms": at_ms, "rows": rows} | shown(node, cli, rows))


if __name__ == "__main__":
    main()
