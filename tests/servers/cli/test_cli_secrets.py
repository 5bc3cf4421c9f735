"""Secret commands: values are stored, read only with a grant, and every use is recorded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from schemas.registry.custody import CustodyMode
from signer.custody.custody_modes import PLANS
from tests.harness.builders.waiting import until
from tests.harness.cli.command_line import CommandLine, Ended, served
from tests.harness.cli.intents import WIDE

MODES = get_args(CustodyMode)
WITH_CLIENT = [mode for mode in MODES if PLANS[mode].needs_client]
VALUE = "correct horse battery staple"
OWNED = ("--account", "treasury")


@pytest.fixture(scope="module")
def cli(
    organisation: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    with served(organisation.copy(tmp_path_factory.mktemp("secrets") / "data")) as running:
        for mode in MODES:
            running.ok("vaults", "create", f"v-{mode}", *OWNED, "--mode", mode)
        running.ok("vaults", "create", "prod", *OWNED)
        running.ok("agents", "add", "reader", *OWNED, *WIDE, "--no-intents-api")
        for agent in ("payroll", "reader"):
            running.ok("access", "grant", agent, "*", "shared/**", "--rights", "read,write")
        running.ok("access", "deny", "reader", "prod", "shared/root", "--rights", "read")
        yield running


def put(cli: CommandLine, path: str, value: str = VALUE, *words: str, vault: str = "prod") -> Ended:
    who = words or OWNED
    return cli.run("secrets", "put", vault, path, "-", *who, stdin=value)


def get(cli: CommandLine, path: str, agent: str, *words: str, vault: str = "prod") -> Ended:
    return cli.run("secrets", "get", vault, path, "--agent", agent, *words)


def stored(cli: CommandLine, path: str, value: str = VALUE, *words: str) -> None:
    ended = put(cli, path, value, *words)
    assert ended.code == 0, ended.err


def shown(cli: CommandLine, vault: str) -> Any:
    return cli.ok("vaults", "show", vault, *OWNED, "--json").json


def accesses(cli: CommandLine, path: str) -> list[dict[str, Any]]:
    query = "SELECT body FROM records WHERE type = 'secret.access' ORDER BY seq"
    found = cli.ok("ledger", "sql", query, "--json").json
    events = [json.loads(row[0]) for row in found["rows"]]
    return [event for event in events if event.get("path") == path]


def test_only_granted_agents_read_and_every_use_is_recorded(
    cli: CommandLine,
) -> None:
    stored(cli, "shared/db")
    assert get(cli, "shared/db", "reader").out == VALUE
    cli.ok("access", "deny", "reader", "prod", "shared/db", "--rights", "read")
    refused = get(cli, "shared/db", "reader")
    assert (refused.code, refused.out, "access_denied" in refused.sentence) == (4, "", True)
    found = [(one["actor"], one["operation"], one["allowed"]) for one in accesses(cli, "shared/db")]
    assert found[1:] == [("reader", "get", True), ("reader", "get", False)]
    assert found[0][1:] == ("put", True)
    last = accesses(cli, "shared/db")[-1]
    assert (last["reason"], last["client_address"]) == ("access_denied", "local socket")
    assert last["at_ms"]
    cli.ok("access", "revoke", "reader", "prod", "shared/db")


def test_nothing_is_granted_by_default_and_missing_paths_look_alike(
    cli: CommandLine,
) -> None:
    stored(cli, "private/db")
    for path in ("private/db", "private/missing"):
        refused = get(cli, path, "payroll")
        assert (refused.code, "not_granted" in refused.sentence) == (4, True)
    assert get(cli, "shared/missing", "reader").code == 9


def test_versions_are_rotated_listed_and_read_by_number(cli: CommandLine) -> None:
    stored(cli, "shared/token", "one")
    assert put(cli, "shared/token").code == 2
    words = ("secrets", "rotate", "prod", "shared/token", "-", "--agent", "payroll")
    assert cli.run(*words, stdin="two").code == 0
    assert get(cli, "shared/token", "reader").out == "two"
    assert get(cli, "shared/token", "reader", "--version", "1").out == "one"
    assert get(cli, "shared/token", "reader", "--version", "3").code == 9
    for who in (OWNED, ("--agent", "reader")):
        history = cli.ok("secrets", "history", "prod", "shared/token", *who, "--json")
        assert [one["version"] for one in history.json] == [1, 2]
        listed = cli.ok("secrets", "list", "prod", *who, "--json")
        assert ("shared/token", 2) in [(one["path"], one["version"]) for one in listed.json]
        assert "two" not in history.out + listed.out
    assert "shared/token" in cli.ok("secrets", "list", "prod", *OWNED).out


def test_an_agent_writes_where_it_is_granted_and_nowhere_else(cli: CommandLine) -> None:
    stored(cli, "shared/mine", VALUE, "--agent", "payroll")
    refused = put(cli, "other/mine", VALUE, "--agent", "payroll")
    assert (refused.code, "No grant" in refused.sentence) == (4, True)
    assert [one["allowed"] for one in accesses(cli, "other/mine")] == [False]
    assert cli.run("secrets", "history", "prod", "other/mine", *OWNED).code == 9


@pytest.mark.parametrize("kind", ["private_key", "ssh_key"])
def test_an_agent_with_the_intents_api_cannot_read_keys(cli: CommandLine, kind: str) -> None:
    path = f"shared/{kind}"
    stored(cli, path, "ab" * 32, "--kind", kind, *OWNED)
    refused = get(cli, path, "payroll")
    assert (refused.code, "key_read_blocked" in refused.sentence) == (4, True)
    history = cli.run("secrets", "history", "prod", path, "--agent", "payroll")
    assert (history.code, "key_read_blocked" in history.sentence) == (4, True)
    listed = cli.ok("secrets", "list", "prod", "--agent", "payroll", "--json")
    assert "ab" * 32 not in listed.out
    assert get(cli, path, "reader").out == "ab" * 32


@pytest.mark.parametrize("kind", ["private_key", "ssh_key"])
def test_a_generated_key_cannot_be_read(cli: CommandLine, kind: str) -> None:
    path = f"shared/made-{kind}"
    cli.ok("secrets", "put", "prod", path, "--generate", "--kind", kind, *OWNED)
    for agent, why in (("payroll", "key_read_blocked"), ("reader", "key_generated")):
        refused = get(cli, path, agent)
        assert (refused.code, why in refused.sentence) == (4, True)
    cli.ok("secrets", "put", "prod", f"{path}-token", "--generate", *OWNED)
    assert len(get(cli, f"{path}-token", "reader").out) == 64


def test_a_signing_key_cannot_be_read_as_a_secret(cli: CommandLine) -> None:
    path = "agents/payroll/chains/ethereum/private_key"
    cli.ok("access", "grant", "reader", "__agent-keys", "**")
    refused = get(cli, path, "reader", vault="__agent-keys")
    assert (refused.code, "key_generated" in refused.sentence) == (4, True)
    assert put(cli, path, VALUE, *OWNED, vault="__agent-keys").code == 4


@pytest.mark.parametrize("mode", MODES)
def test_a_secret_is_stored_and_read_in_every_mode(
    cli: CommandLine, mode: str, tmp_path: Path
) -> None:
    words = ("--share-out", str(tmp_path / "share")) if mode in WITH_CLIENT else ()
    assert put(cli, "shared/db", VALUE, *OWNED, *words, vault=f"v-{mode}").code == 0
    brought = ("--share", str(tmp_path / "share")) if mode in WITH_CLIENT else ()
    assert get(cli, "shared/db", "reader", *brought, vault=f"v-{mode}").out == VALUE


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_secret_in_client_custody_needs_its_share(
    cli: CommandLine, mode: str, tmp_path: Path
) -> None:
    vault, share, other = f"v-{mode}", tmp_path / "share", tmp_path / "other"
    lost = put(cli, "shared/cold", VALUE, *OWNED, vault=vault)
    assert (lost.code, "--share-out" in lost.sentence) == (2, True)
    for path, file in (("shared/cold", share), ("shared/x", other)):
        words = (*OWNED, "--share-out", str(file))
        assert put(cli, path, VALUE, *words, vault=vault).code == 0
    assert share.stat().st_mode & 0o777 == 0o600
    without = get(cli, "shared/cold", "reader", vault=vault)
    assert (without.code, without.out) == (4, "")
    mixed = get(cli, "shared/cold", "reader", "--share", str(other), vault=vault)
    assert (mixed.code, "do not belong together" in mixed.sentence) == (4, True)


def test_after_a_vault_key_rotation_every_secret_is_readable(cli: CommandLine) -> None:
    stored(cli, "shared/before")
    cli.ok("vaults", "rotate-key", "prod", *OWNED)
    assert get(cli, "shared/before", "reader").out == VALUE
    until(lambda: shown(cli, "prod")["behind"] == 0)
    assert shown(cli, "prod")["key_changes"] == 1
    assert get(cli, "shared/before", "reader").out == VALUE
    cli.ok("vaults", "create", "empty", *OWNED)
    for vault, split in (("empty", False), ("v-2of3_multi_hsm", True)):
        refused = cli.run("vaults", "rotate-key", vault, *OWNED)
        assert (refused.code, vault in refused.sentence) == (4, True)
        assert ("--provider" in refused.sentence) is split


def test_a_vault_key_is_rewrapped_under_the_current_root_key(cli: CommandLine) -> None:
    cli.ok("vaults", "create", "rooted", *OWNED)
    assert put(cli, "shared/rooted", vault="rooted").code == 0
    ended = cli.ok("vaults", "rotate-key", "rooted", *OWNED, "--root", "--json")
    assert (ended.json["change"], ended.json["sequence"]) == ("root", 1)
    assert (shown(cli, "rooted")["key_changes"], shown(cli, "rooted")["behind"]) == (1, 0)
    assert get(cli, "shared/rooted", "reader", vault="rooted").out == VALUE


def test_a_providers_shares_are_rewrapped_under_its_current_root_key(
    cli: CommandLine,
) -> None:
    vault = "v-2of3_multi_hsm"
    assert put(cli, "shared/moved", vault=vault).code == 0
    words = ("vaults", "rotate-key", vault, *OWNED, "--root", "--provider")
    moved = cli.ok(*words, "aws", "--json").json
    assert (moved["provider"], moved["sequence"], moved["left"]) == ("aws", 1, 0)
    assert shown(cli, vault)["roots"]["aws"]["changes"] == 1
    assert get(cli, "shared/moved", "reader", vault=vault).out == VALUE
    refused = cli.run(*words, "mine")
    assert (refused.code, "gcp, aws, azure" in refused.sentence) == (4, True)
    without = cli.run("vaults", "rotate-key", vault, *OWNED, "--provider", "aws")
    assert (without.code, "--root" in without.sentence) == (2, True)


def test_a_recovered_share_replaces_the_lost_one(cli: CommandLine, tmp_path: Path) -> None:
    vault, lost, new = "v-2of3_client_custody", tmp_path / "lost", tmp_path / "new"
    words = (*OWNED, "--share-out", str(lost))
    assert put(cli, "shared/lost", VALUE, *words, vault=vault).code == 0
    recover = ("vaults", "recover", vault, "shared/lost", *OWNED, "--why", "a laptop was lost")
    cli.ok(*recover, "--share-out", str(new))
    former = get(cli, "shared/lost", "reader", "--share", str(lost), vault=vault)
    assert (former.code, "do not belong together" in former.sentence) == (4, True)
    assert get(cli, "shared/lost", "reader", "--share", str(new), vault=vault).out == VALUE
    boxed = cli.ok(*recover, "--share-for", "0x" + "c1" * 32).json
    assert boxed["client_share"].startswith("0x")
    assert cli.run(*recover).code == 2  # without a recipient
    refused = cli.run("vaults", "recover", "prod", "shared/before", *OWNED, "--why", "x")
    assert (refused.code, "envelope" in refused.sentence) == (4, True)


def test_no_value_is_in_any_file_of_a_folder_at_rest(
    organisation: CommandLine, tmp_path: Path
) -> None:
    cli = organisation.copy(tmp_path / "data")
    cli.ok("vaults", "create", "prod", *OWNED)
    stored(cli, "shared/marked", "MARK" * 8)
    cli.ok("ledger", "verify")
    for content in cli.files_at_rest():
        assert b"MARK" * 8 not in content
        assert (b"MARK" * 8).hex().encode() not in content


@pytest.mark.parametrize("value", ["hunter2", "x" * 300])
def test_a_value_on_the_command_line_is_not_repeated(cli: CommandLine, value: str) -> None:
    ended = cli.run("secrets", "put", "prod", "a", value, *OWNED)
    assert (ended.code, value in ended.err + ended.out) == (2, False)
    assert "pipe" in ended.sentence


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("put", "prod", "a/b", *OWNED), 2, "--generate"),
        (("put", "prod", "../b", "-"), 2, "db/password"),
        (("put", "prod", "a", "-", "--kind", "x"), 2, "api_key"),
        (("put", "missing", "a", "--generate"), 9, "vault missing"),
        (("rotate", "prod", "a", "--generate", *OWNED), 9, "secret a"),
        (("get", "prod", "a", "--agent", "ghost"), 9, "agent ghost"),
        (("put", "prod", "a", "/nothing", *OWNED), 2, "pipe"),
        (("list", "prode", *OWNED), 9, "prod"),
    ],
)
def test_a_wrong_command_is_refused(
    cli: CommandLine, words: tuple[str, ...], code: int, why: str
) -> None:
    ended = cli.run("secrets", *words)
    assert (ended.code, why in ended.err) == (code, True), ended.err
