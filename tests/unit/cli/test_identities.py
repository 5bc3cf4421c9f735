"""Every command has one Kafka identity, and the operations page lists it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sixgate
from schemas.topics import TOPICS, Principal
from sixgate.cli.app import app
from sixgate.cli.identities import COMMANDS

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


def test_every_command_has_one_identity() -> None:
    assigned = [name for names in COMMANDS.values() for name in names]
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


def test_the_page_lists_identities_and_their_rights() -> None:
    lines = PAGE.read_text().splitlines()
    for row in map(row_of, Principal):
        assert row in lines, row


def row_of(principal: Principal) -> str:
    commands_named = ", ".join(f"`{name}`" for name in COMMANDS[principal]) or PROGRAMS[principal]
    writes = [topic for topic, spec in TOPICS.items() if principal in spec.writers]
    reads = [topic for topic, spec in TOPICS.items() if principal in spec.readers]
    named = (", ".join(f"`{topic}`" for topic in topics) or "nothing" for topics in (writes, reads))
    return f"| `{principal}` | {commands_named} | {' | '.join(named)} |"
