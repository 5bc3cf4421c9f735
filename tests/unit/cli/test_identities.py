"""Every command has one Kafka identity, and the operations page lists it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sixgate
from schemas.topics import TOPICS, Principal
from sixgate.cli.app import app

PAGE = Path(sixgate.__file__).parents[1] / "docs" / "operations.md"
PROGRAMS = {
    Principal.PRODUCERS: "programs that submit",
    Principal.CONSUMERS: "programs that read",
}
WITHOUT_KAFKA = {
    "attest verify",
    "config",
    "init",
    "kms check",
    "ledger migrate",
    "mcp",
    "probe",
    "tx decode",
    "up",
}
ADMINISTRATORS = {"topics plan", "topics apply", "topics verify"}


ROW = re.compile(r"\| `([a-z]+)` \| (.+) \| (.+) \| (.+) \|")
ROWS = {row[1]: row for line in PAGE.read_text().splitlines() if (row := ROW.fullmatch(line))}


def test_the_page_gives_every_command_one_identity() -> None:
    assigned = [name for who in Principal for name in re.findall("`(.+?)`", ROWS[who][2])]
    assert len(set(assigned)) == len(assigned)
    left = {
        command
        for command in commands(app)
        if not any(command == name or command.startswith(f"{name} ") for name in assigned)
    }
    assert left == WITHOUT_KAFKA | ADMINISTRATORS


def commands(group: Any, before: str = "") -> Iterator[str]:
    for name, inner in group.commands.items():
        if hasattr(inner, "commands"):
            yield from commands(inner, f"{before}{name} ")
        else:
            yield before + name


@pytest.mark.parametrize("principal", Principal)
def test_the_page_lists_the_rights_of_every_identity(principal: Principal) -> None:
    row = ROWS[principal]
    writes = [topic for topic, spec in TOPICS.items() if principal in spec.writers]
    reads = [topic for topic, spec in TOPICS.items() if principal in spec.readers]
    named = [", ".join(f"`{one}`" for one in topics) or "nothing" for topics in (writes, reads)]
    assert [row[3], row[4]] == named


@pytest.mark.parametrize(("principal", "programs"), PROGRAMS.items())
def test_an_identity_without_commands_is_for_programs(principal: Principal, programs: str) -> None:
    assert ROWS[principal][2] == programs
