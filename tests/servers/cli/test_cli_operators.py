"""Operator commands: agents, policies, keys, chains, settings, services."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from signer.core.ethereum.address import parse_address
from tests.harness.builders.waiting import until
from tests.harness.cli.command_line import CommandLine, served
from tests.harness.cli.intents import INTENT, NARROW, TO


@pytest.fixture(scope="module")
def cli(
    organisation: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """Serve one folder to all these tests; each uses its own names and reverts its changes."""
    with served(organisation.copy(tmp_path_factory.mktemp("operators") / "data")) as running:
        yield running


def policy(cli: CommandLine, agent: str) -> dict[str, object]:
    found: dict[str, object] = cli.ok("agents", "show", agent, "--json").json["policy"]["policy"]
    return found


def test_flags_become_a_normalised_policy(cli: CommandLine) -> None:
    cli.ok("agents", "add", "bot", "--account", "main", *NARROW)
    assert policy(cli, "bot") == {
        "tx_to_allowlist": [TO.lower()],
        "tx_max_value_eth": "1.5",
        "tx_max_fee_eth": "0.05",
        "tx_daily_limit_eth": "5",
        "tx_allowed_chains": ["ethereum", "zora"],
        "intents_per_minute": 60,
        "allow_contract_creation": False,
    }
    key = cli.data / "keys" / "agents" / "bot.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_new_account_is_reported_as_opened(cli: CommandLine) -> None:
    new = ("--account", "tresury", *NARROW)
    first, second = (cli.ok("agents", "add", name, *new) for name in ("ann", "bo"))
    assert ["opened" in ended.err for ended in (first, second)] == [True, False]
    assert all("tresury" in ended.err for ended in (first, second))


def test_recipients_are_separated_by_commas(cli: CommandLine) -> None:
    other = "0x" + "11" * 20
    limits = [*NARROW[:4], "--chains", "base", "--allow-to", f"{TO}, {other}"]
    cli.ok("agents", "add", "comma", *limits)
    assert policy(cli, "comma")["tx_to_allowlist"] == [TO.lower(), other]


def test_a_wrong_policy_file_is_refused_by_field(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"tx_max_value_eth": "1,5"}))
    ended = cli.run("agents", "add", "refused", "--policy", str(file))
    assert (ended.code, "tx_max_value_eth '1,5'" in ended.sentence) == (2, True)


@pytest.mark.parametrize(
    "words", ["add 424243 8453", "add 424243 odd --alias 1", "update base --alias 10"]
)
def test_no_chain_gets_digits_as_its_name(cli: CommandLine, words: str) -> None:
    ended = cli.run("chains", *words.split())
    assert ended.code != 0
    assert "digits alone" in ended.sentence


def test_an_update_changes_only_the_given_fields(cli: CommandLine) -> None:
    cli.ok("agents", "add", "changed", *NARROW)
    cli.ok("chains", "remove", "zora")
    before = cli.ok("agents", "show", "changed", "--json").json
    cli.ok("agents", "update", "changed", "--daily-limit-eth", "2", "--expires-in", "30d")
    after = cli.ok("agents", "show", "changed", "--json").json
    assert after["policy"]["policy"] == before["policy"]["policy"] | {"tx_daily_limit_eth": "2"}
    expires = after["agent"].pop("expires_at_ms")
    assert after["agent"] == before["agent"]
    assert expires > 0


def test_an_update_without_a_change_is_refused(cli: CommandLine) -> None:
    sequence = cli.ok("ledger", "sql", "SELECT count() FROM ledger", "--json").json["rows"]
    ended = cli.run("agents", "update", "payroll")
    assert (ended.code, "sixgate agents update --help" in ended.sentence) == (2, True)
    assert cli.ok("ledger", "sql", "SELECT count() FROM ledger", "--json").json["rows"] == sequence


def test_flags_override_a_policy_file(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({
        "tx_to_allowlist": "any", "tx_max_value_eth": "1", "tx_daily_limit_eth": "unlimited",
        "tx_allowed_chains": ["arbitrum"], "intents_per_minute": "unlimited",
    }))  # fmt: skip
    cli.ok("agents", "add", "filed", "--policy", str(file), "--rate", "7")
    assert policy(cli, "filed")["intents_per_minute"] == 7
    assert policy(cli, "filed")["tx_allowed_chains"] == ["arbitrum-one"]
    cli.ok("agents", "add", "twin", "--policy-id", "filed")
    assert policy(cli, "twin") == policy(cli, "filed")


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ("refused --max-value-eth 1", 2, "--allow-to, --daily-limit-eth, --chains"),
        ("refused", 2, "unlimited"),
        ("refused --max-value-eth 1,5", 2, "--max-value-eth '1,5': "),
        ("refused --max-value-eth -1", 2, "--max-value-eth '-1': "),
        ("refused --allow-to 0x12", 2, "--allow-to '0x12': "),
        (f"refused --allow-to {TO[:-1]}E", 2, "EIP-55"),
        ("refused --chains bsae", 9, "did you mean base?"),
        ("refused --max-value-eth any", 2, "unlimited"),
        ("refused --rate many", 2, "--rate 'many': "),
        ("refused --rate 1.5", 2, "--rate '1.5': "),
        ("refused --policy-id nothing", 9, "policy nothing"),
        ("refused --policy /nonexistent", 5, "No such file"),
        ("payroll --rate 1", 2, "sixgate agents update payroll"),
    ],
)
def test_a_wrong_agent_is_refused(cli: CommandLine, words: str, code: int, why: str) -> None:
    ended = cli.run("agents", "add", *words.split())
    assert (ended.code, why in ended.sentence) == (code, True), ended.err
    assert not (cli.data / "keys" / "agents" / "refused.pem").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("intents list --agent payrol", "did you mean payroll?"),
        ("intents list --account trasury", "did you mean treasury?"),
        ("vaults list --account trasury", "did you mean treasury?"),
    ],
)
def test_a_list_of_an_unknown_name_is_refused(cli: CommandLine, words: str, why: str) -> None:
    ended = cli.run(*words.split())
    assert (ended.code, why in ended.sentence) == (9, True), ended.err


def test_a_deactivated_agent_is_refused_until_it_is_activated(cli: CommandLine) -> None:
    cli.ok("agents", "deactivate", "payroll")
    assert cli.submit(INTENT)[0]["result"]["reason"] == "agent_inactive"
    cli.ok("agents", "update", "payroll", "--activate")
    assert cli.submit(INTENT)[0]["outcome"] == "signed"


def test_a_chains_key_needs_a_grant(cli: CommandLine) -> None:
    use = INTENT | {"key_path": "keys/base-signer"}
    made = cli.ok("keys", "provision", "--chain", "base", "--account", "treasury")
    assert "agents/payroll/" in made.err
    assert cli.submit(use)[0]["result"]["reason"] == "key_not_granted"
    again = cli.run("keys", "provision", "--chain", "base", "--account", "treasury")
    assert (again.code, "keys/base-signer" in again.sentence) == (4, True)
    cli.ok("agents", "update", "payroll", "--key-path", "keys/base-signer")
    assert cli.submit(use)[0]["outcome"] == "signed"
    hot = cli.ok("keys", "provision", "wallets/hot", "--agent", "payroll", "--json").json
    assert cli.submit(INTENT | {"key_path": "wallets/hot"})[0]["result"]["sender"] == hot["address"]


def agent(cli: CommandLine, name: str) -> dict[str, object]:
    found: dict[str, object] = cli.ok("agents", "show", name, "--json").json["agent"]
    return found


def test_a_key_grant_is_revoked(cli: CommandLine) -> None:
    paths = ["keys/granted", "keys/other"]
    granted = [word for path in paths for word in ("--key-path", path)]
    cli.ok("agents", "add", "granted", *NARROW[:6], "--chains", "base", *granted)
    cli.ok("keys", "provision", "keys/granted", "--account", "main")
    use = INTENT | {"agent": "granted", "key_path": "keys/granted"}
    assert cli.submit(use)[0]["outcome"] == "signed"
    cli.ok("agents", "update", "granted", "--rate", "600")
    assert agent(cli, "granted")["key_paths"] == paths
    cli.ok("agents", "update", "granted", "--key-path", "keys/other")
    assert agent(cli, "granted")["key_paths"] == ["keys/other"]
    assert cli.submit(use)[0]["result"]["reason"] == "key_not_granted"
    cli.ok("agents", "update", "granted", "--key-path", "")
    assert agent(cli, "granted")["key_paths"] == []


def test_an_expiry_is_removed(cli: CommandLine) -> None:
    cli.ok("agents", "add", "lasting", "--policy-id", "payroll", "--expires-in", "1s")
    intent = INTENT | {"agent": "lasting"}
    until(lambda: cli.submit(intent)[0]["result"]["reason"] == "agent_expired")
    assert cli.run("agents", "update", "lasting", "--expires-in", "soon").code == 2
    cli.ok("agents", "update", "lasting", "--expires-in", "never")
    assert "expires_at_ms" not in agent(cli, "lasting")
    assert cli.submit(intent)[0]["result"]["reason"] == "key_unknown"


def test_an_agent_without_the_intents_api_is_refused(cli: CommandLine) -> None:
    cli.ok("agents", "update", "payroll", "--no-intents-api")
    assert cli.submit(INTENT)[0]["result"]["reason"] == "intents_api_off"
    cli.ok("agents", "update", "payroll", "--intents-api")
    assert cli.submit(INTENT)[0]["outcome"] == "signed"
    cli.ok("agents", "add", "barred", "--policy-id", "payroll", "--no-intents-api")
    assert agent(cli, "barred")["intents_api_enabled"] is False


def test_an_agent_whose_key_was_made_elsewhere_gets_no_key_file(cli: CommandLine) -> None:
    cli.ok("agents", "add", "remote", "--policy-id", "payroll", "--public-key", "0x" + "11" * 32)
    assert not (cli.data / "keys" / "agents" / "remote.pem").exists()


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ("", 2, "--account"),
        ("--account treasury", 2, "--chain"),
        ("--agent payroll --account main keys/x", 2, "treasury"),
        ("--agent ghost", 9, "agent ghost"),
        ("--account nowhere keys/x", 4, "nowhere"),
        ("--agent payroll --chain base keys/x", 2, "Ethereum"),
        ("--agent payroll", 4, "agents/payroll/chains/ethereum"),
    ],
)
def test_a_wrong_key_request_is_refused(cli: CommandLine, words: str, code: int, why: str) -> None:
    ended = cli.run("keys", "provision", *words.split())
    assert (ended.code, why in ended.sentence) == (code, True), ended.err


@pytest.mark.parametrize(
    "path", ["keys/../x", "/keys/x", "secret/x", "keys/a%2Fb", "keys/A", "keys"]
)
def test_an_invalid_key_path_is_refused(cli: CommandLine, path: str) -> None:
    assert cli.run("keys", "provision", path, "--account", "treasury").code == 2


def test_addresses_are_shown_with_their_checksum(cli: CommandLine) -> None:
    address = cli.ok("keys", "provision", "keys/x", "--account", "treasury").out.strip()
    (found,) = [k for k in cli.ok("keys", "list", "--json").json if k["path"] == "keys/x"]
    assert parse_address(address) == bytes.fromhex(found["address"][2:])
    assert address in cli.ok("keys", "list").out


def test_a_chain_is_added_changed_and_removed(cli: CommandLine) -> None:
    cli.ok("chains", "add", "31337", "anvil", "--symbol", "ETH", "--explorer", "http://localhost",
           "--testnet", "--alias", "local", "--gas-limit", "21000", "--max-fee-gwei", "1.5",
           "--priority-fee-gwei", "1")  # fmt: skip
    cli.ok("agents", "update", "payroll", "--chains", "ethereum,base,anvil")
    signed = cli.submit(INTENT | {"chain": "local"})[0]["result"]
    assert (signed["chain_id"], signed["max_fee_per_gas_wei"]) == (31337, "1500000000")
    cli.ok("chains", "update", "local", "--max-fee-gwei", "3")
    signed = cli.submit(INTENT | {"chain": 31337})[0]["result"]
    assert (signed["max_fee_per_gas_wei"], signed["gas_limit"]) == ("3000000000", 21_000)
    cli.ok("chains", "remove", "31337")
    assert cli.submit(INTENT | {"chain": 31337})[0]["result"]["reason"] == "chain_unknown"


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ("add 8453 mine", 2, "sixgate chains update"),
        ("add 99 base --explorer x", 4, "8453"),
        ("add 99 Nine", 2, "'Nine'"),
        ("add 99 nine --alias Neun", 2, "'Neun'"),
        ("add 99 nine --symbol E-T-H", 2, "symbol 'E-T-H'"),
        ("add 99 nine --gas-limit 0", 2, "--gas-limit"),
        ("add 99 nine --max-fee-gwei 1", 2, "--gas-limit, --max-fee-gwei and --priority-fee-gwei"),
        ("update base --max-fee-gwei 0.001", 2, "0.01 gwei"),
        ("update base --priority-fee-gwei 2000", 2, "2000 gwei"),
        ("update base", 2, "sixgate chains update --help"),
        (
            "add 99 nine --gas-limit 1 --max-fee-gwei 0.0000000001 --priority-fee-gwei 0",
            2,
            "0.0000000001",
        ),
        ("update nine --testnet", 9, "chain nine"),
        ("remove nine", 9, "chain nine"),
    ],
)
def test_a_wrong_chain_is_refused(cli: CommandLine, words: str, code: int, why: str) -> None:
    ended = cli.run("chains", *words.split())
    assert (ended.code, why in " ".join(ended.err.split())) == (code, True), ended.err
    assert "pattern" not in ended.err


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("policies.require_explicit", "false", "false"),
        ("simulation.required", "always", "always"),
        ("simulation.age_ms_max", "5000", "5000"),
        ("simulation.age_ms_max", "60000", "60000"),
    ],
)
def test_settings_are_stored(cli: CommandLine, name: str, value: str, shown: str) -> None:
    before = cli.ok("settings", "get", name).out.strip()
    cli.ok("settings", "set", name, value)
    assert cli.ok("settings", "get", name).out.strip() == shown
    cli.ok("settings", "set", name, before)


def test_an_unset_setting_is_shown_as_not_set(cli: CommandLine) -> None:
    assert cli.ok("settings", "get", "org.tier").out.strip() == "not set"
    assert cli.ok("settings", "get", "--json").json["org.tier"] is None
    assert "org.tier" in cli.ok("settings", "get").out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("set simulation.required never", 2),
        ("set simulation.age_ms_max 0", 2),
        ("set simulation.age_ms_max 60001", 2),
        ("set policies.require_explicit 1", 2),
        ("set simulation.requird always", 9),
        ("get nothing", 9),
    ],
)
def test_a_wrong_setting_is_refused(cli: CommandLine, words: str, code: int) -> None:
    ended = cli.run("settings", *words.split())
    assert (ended.code, bool(ended.sentence)) == (code, True)
    assert (code == 9) == (
        "did you mean" in ended.sentence or "sixgate settings get" in ended.sentence
    )


def test_a_public_key_is_not_split_in_a_narrow_terminal(cli: CommandLine) -> None:
    keys = {one["public_key"] for one in cli.ok("services", "--json").json}
    shown = cli.run("services", more={"COLUMNS": "80"}).out.splitlines()
    assert keys <= {line.strip() for line in shown}
    assert max(map(len, shown)) <= 80


def registrars(cli: CommandLine) -> dict[str, bool]:
    found = cli.ok("services", "--json").json
    return {one["name"]: one["active"] for one in found if one["role"] == "registrar"}


def test_a_registrar_is_added_and_revoked(cli: CommandLine) -> None:
    assert registrars(cli) == {"registrar-0": True}
    cli.ok("services", "add", "registrar-1")
    assert registrars(cli) == {"registrar-0": True, "registrar-1": True}
    key = cli.data / "keys" / "registrar-1.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    cli.ok("services", "deactivate", "registrar-1")
    assert registrars(cli) == {"registrar-0": True, "registrar-1": False}
    before = key.read_bytes()
    cli.ok("services", "add", "registrar-1")
    assert registrars(cli)["registrar-1"]
    assert key.read_bytes() == before


def test_other_services_cannot_be_added_or_revoked(cli: CommandLine) -> None:
    before = cli.ok("services", "--json").json
    assert cli.run("services", "add", "signer-0").code == 2
    assert cli.run("services", "add", "admin-0").code == 2
    assert cli.run("services", "deactivate", "signer-0").code == 9
    assert cli.ok("services", "--json").json == before
