"""Scoped admins, gateways and agents of gateways on the command line."""

from collections.abc import Iterator
from typing import Any

import pytest

from schemas.registry.records import AgentSet, Entry
from signer.custody.event_signing import Ed25519Signer
from sixgate.api import ApiError
from sixgate.api.operator.connection import connect
from sixgate.authoring.operator import register
from tests.harness.builders.cases import NOW_MS
from tests.harness.cli.command_line import CommandLine, served
from tests.harness.cli.intents import NARROW

DESK = Ed25519Signer("desk", b"d" * 32)
ADD_DESK = ("admins", "add", "desk", "--public-key", DESK.public_key, "--gateway", "gateway-0")


@pytest.fixture(scope="module")
def cli(
    organisation: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """Serve one folder with a gateway and its agent bob to all these tests."""
    with served(organisation.copy(tmp_path_factory.mktemp("admins") / "data")) as running:
        running.ok("services", "add", "gateway-0", "--role", "gateway")
        running.ok("agents", "add", "bob", "--gateway", "gateway-0", *NARROW)
        yield running


def sheet(cli: CommandLine, agent: str) -> dict[str, Any]:
    found: dict[str, Any] = cli.ok("agents", "show", agent, "--json").json["agent"]
    return found


def by_desk(cli: CommandLine, entry: Entry) -> None:
    with connect(cli.data) as api:
        register(api, DESK, [entry], NOW_MS)


def test_an_agent_of_a_gateway_has_no_key_and_is_shown_with_its_gateway(cli: CommandLine) -> None:
    assert not (cli.data / "keys" / "agents" / "bob.pem").exists()
    assert "public_key" not in sheet(cli, "bob")
    shown = cli.ok("agents", "show", "bob").out
    assert "gateway-0" in shown
    assert "public key" not in shown


def test_an_agent_is_switched_between_a_key_and_a_gateway(cli: CommandLine) -> None:
    cli.ok("agents", "add", "both", *NARROW)
    key = sheet(cli, "both")["public_key"]
    cli.ok("agents", "update", "both", "--gateway", "gateway-0")
    assert sheet(cli, "both")["gateway"] == "gateway-0"
    cli.ok("agents", "update", "both", "--public-key", key)
    found = sheet(cli, "both")
    assert (found["public_key"], "gateway" in found) == (key, False)
    two = ("--public-key", key, "--gateway", "gateway-0")
    assert cli.run("agents", "update", "both", *two).code == 2
    assert cli.run("agents", "update", "both", "--gateway", "gateway-9").code != 0


def test_a_gateway_is_added_with_a_key_from_elsewhere_and_revoked(cli: CommandLine) -> None:
    key = Ed25519Signer("gateway-1", b"1" * 32).public_key
    cli.ok("services", "add", "gateway-1", "--role", "gateway", "--public-key", key)
    assert not (cli.data / "keys" / "gateway-1.pem").exists()
    cli.ok("services", "deactivate", "gateway-1")
    services = {one["name"]: one for one in cli.ok("services", "--json").json}
    assert services["gateway-1"] == {
        "type": "service.set",
        "role": "gateway",
        "name": "gateway-1",
        "public_key": key,
        "active": False,
    }
    for role in ("signer", "ledger", "Gateway"):
        assert cli.run("services", "add", "mine", "--role", role).code == 2


def test_a_scoped_admin_works_within_its_ceiling_until_it_is_removed(cli: CommandLine) -> None:
    limits = ("--max-value-eth", "2", "--daily-limit-eth", "5", "--settings", "org.tier")
    cli.ok(*ADD_DESK, "--account", "main", *limits)
    (desk,) = cli.ok("admins", "list", "--json").json
    assert (desk["accounts"], desk["chains"], desk["settings"]) == (["main"], False, ["org.tier"])
    assert desk["ceiling"]["tx_max_value_eth"] == "2"
    shown = cli.ok("admins", "list").out
    assert DESK.public_key in shown
    assert "tx_daily_limit_eth 5" in shown
    assert cli.run(*ADD_DESK, "--account", "main").code == 2

    record = sheet(cli, "bob")
    fields = record | {"key_paths": (), "type": "agent.set"}
    by_desk(cli, AgentSet(**(fields | {"active": False})))
    assert not sheet(cli, "bob")["active"]
    cli.ok("agents", "update", "bob", "--max-value-eth", "2.1")
    with pytest.raises(ApiError, match="looser than its ceiling in tx_max_value_eth"):
        by_desk(cli, AgentSet(**fields))
    cli.ok("agents", "update", "bob", "--max-value-eth", "2")
    by_desk(cli, AgentSet(**fields))

    cli.ok("admins", "remove", "desk")
    assert [one["active"] for one in cli.ok("admins", "list", "--json").json] == [False]
    with pytest.raises(ApiError, match="no admin key"):
        by_desk(cli, AgentSet(**fields))
    cli.ok(*ADD_DESK, "--account", "main")
    cli.ok("admins", "remove", "desk")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--account", "nowhere"), 9),
        (("--account", "main", "--settings", "org.teir"), 9),
        (("--account", "main", "--max-value-eth", "x"), 2),
        (("--account", "main", "--gateway", "registrar-0"), 9),
        (("--account", "main", "--public-key", "0x12"), 2),
    ],
)
def test_a_wrong_scope_is_refused(cli: CommandLine, words: tuple[str, ...], code: int) -> None:
    ended = cli.run(*ADD_DESK, *words)
    assert (ended.code, bool(ended.sentence)) == (code, True)


def test_an_unknown_scoped_admin_is_not_removed(cli: CommandLine) -> None:
    assert cli.run("admins", "remove", "nobody").code == 9


def test_the_registry_of_the_api_is_that_of_the_command(cli: CommandLine) -> None:
    with connect(cli.data) as api:
        assert api.registry()["scoped_admins"] == cli.ok("admins", "list", "--json").json
