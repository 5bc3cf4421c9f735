"""Vault backups: a lost topic is restored, and nothing is rolled back."""

import json
import re
import signal
import sqlite3
from pathlib import Path

import pytest

from schemas.topics import Topic
from streams.log.sqlite import number
from tests.harness.builders.waiting import until
from tests.harness.cli.command_line import CommandLine, served, stopped
from tests.harness.cli.intents import INTENT

VALUE = "correct horse battery staple"
OWNED = ("--account", "treasury")


@pytest.fixture(scope="module")
def kept(
    organisation: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CommandLine, Path, Path]:
    """Make a folder with secrets, an older backup of it and a newer one."""
    folder = tmp_path_factory.mktemp("backups")
    older, newer = folder / "older.jsonl", folder / "newer.jsonl"
    with served(organisation.copy(folder / "data")) as cli:
        cli.ok("vaults", "create", "prod", *OWNED)
        cli.ok("access", "grant", "payroll", "prod", "**")
        stored = ("secrets", "put", "prod", "db", "-", *OWNED)
        assert cli.run(*stored, stdin=VALUE).code == 0
        cli.ok("vaults", "backup", str(older))
        cli.ok("secrets", "put", "prod", "token", "--generate", *OWNED)
        cli.ok("vaults", "rotate-key", "prod", *OWNED)
        show = ("vaults", "show", "prod", *OWNED, "--json")
        until(lambda: cli.ok(*show).json["behind"] == 0)  # rewraps are published later
        cli.ok("vaults", "backup", str(newer))
    return cli, older, newer


@pytest.fixture
def cli(kept: tuple[CommandLine, Path, Path], tmp_path: Path) -> CommandLine:
    return kept[0].copy(tmp_path / "data")


def lose(cli: CommandLine, from_offset: int = 0) -> None:
    """Lose the vault topic from an offset on."""
    with sqlite3.connect(cli.data / "pipeline.db") as log:
        lost = "DELETE FROM records WHERE topic = ? AND offset >= ?"
        assert log.execute(lost, (number(Topic.VAULT), from_offset)).rowcount
    log.close()


def value_of(cli: CommandLine) -> str:
    return cli.ok("secrets", "get", "prod", "db", "--agent", "payroll").out


@pytest.mark.parametrize("from_offset", [0, 2])
def test_lost_events_are_restored_and_secrets_open(
    cli: CommandLine, kept: tuple[CommandLine, Path, Path], from_offset: int
) -> None:
    lose(cli, from_offset)
    halted = cli.run("agents", "list")
    assert (halted.code, "restore" in halted.sentence) == (7, True)
    newer = str(kept[2])
    assert re.search(r"Restored \d+ events", cli.ok("vaults", "restore", newer).err)
    assert "Nothing to restore" in cli.ok("vaults", "restore", newer).err
    assert value_of(cli) == VALUE
    assert cli.submit(INTENT)[0]["outcome"] == "signed"
    cli.ok("ledger", "verify")


def test_an_older_backup_rolls_nothing_back(
    cli: CommandLine, kept: tuple[CommandLine, Path, Path]
) -> None:
    refused = cli.run("vaults", "restore", str(kept[1]))
    assert refused.code == 4
    assert re.search(r"\d+ events there and \d+ in the backup", refused.sentence)
    assert "older than the vault topic" in refused.sentence
    assert value_of(cli) == VALUE
    lose(cli)
    cli.ok("vaults", "restore", str(kept[1]))
    halted = cli.run("agents", "list")  # it lacks what the signer has seen
    assert halted.code == 7
    cli.ok("vaults", "restore", str(kept[2]))
    assert value_of(cli) == VALUE


def test_a_torn_or_changed_file_restores_nothing(
    cli: CommandLine, kept: tuple[CommandLine, Path, Path], tmp_path: Path
) -> None:
    whole = kept[2].read_bytes()
    torn, changed = tmp_path / "torn", tmp_path / "changed"
    torn.write_bytes(whole[:-200])
    changed.write_bytes(whole.replace(b'"path":"db"', b'"path":"dc"'))
    lose(cli)
    for file, why in ((torn, "is truncated"), (changed, "digest does not match")):
        refused = cli.run("vaults", "restore", str(file))
        assert refused.code == 2
        assert str(file) in refused.sentence
        assert why in refused.sentence
    missing = cli.run("vaults", "restore", str(tmp_path / "missing"))
    assert missing.code == 5
    assert cli.run("agents", "list").code == 7


def test_a_malformed_topic_is_not_blamed_on_the_backup(
    cli: CommandLine, kept: tuple[CommandLine, Path, Path]
) -> None:
    with sqlite3.connect(cli.data / "pipeline.db") as log:
        changed = "UPDATE records SET value = ? WHERE topic = ? AND offset = 1"
        log.execute(changed, (b"{}", number(Topic.VAULT)))
    log.close()
    halted = cli.run("vaults", "restore", str(kept[2]))
    assert (halted.code, "vault topic" in halted.sentence) == (7, True)
    assert str(kept[2]) not in halted.sentence


def test_a_backup_contains_no_secret_and_is_private(
    kept: tuple[CommandLine, Path, Path],
) -> None:
    cli, _, newer = kept
    content = newer.read_bytes()
    assert VALUE.encode() not in content
    assert VALUE.encode().hex().encode() not in content
    assert newer.stat().st_mode & 0o777 == 0o600
    again = cli.run("vaults", "backup", str(newer))
    assert again.code == 5
    assert f"{newer}: File exists" in again.sentence
    inside = cli.run("vaults", "backup", str(cli.data / "x"))
    assert inside.code == 5
    assert f"{cli.data / 'x'} is in the data folder" in inside.sentence


def test_one_vault_is_backed_up_and_restored(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "prod.jsonl"
    cli.ok("vaults", "backup", str(file), "--vault", "prod", *OWNED)
    header = json.loads(file.read_bytes().splitlines()[0])
    assert [vault["vault"] for vault in header["vaults"]] == ["prod"]
    with sqlite3.connect(cli.data / "pipeline.db") as log:
        query = "DELETE FROM records WHERE topic = ? AND value LIKE '%secret.%'"
        log.execute(query, (number(Topic.VAULT),))
    log.close()
    cli.ok("vaults", "restore", str(file))
    assert cli.run("vaults", "restore", str(file)).code == 0


def test_nothing_is_restored_while_the_pipeline_runs(
    cli: CommandLine, kept: tuple[CommandLine, Path, Path]
) -> None:
    running = cli.up()
    refused = cli.run("vaults", "restore", str(kept[2]))
    assert refused.code == 6
    assert f"another sixgate runs on {cli.data}: stop it first" in refused.sentence
    assert stopped(running, signal.SIGTERM) == 0
