"""Command table: help texts, and the module of each command.

Importing all commands costs a second of CPU. ``sixgate --help`` therefore reads only this table,
and a command's module is imported when it runs. A test compares the texts with the commands' own.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from sixgate.cli.config_option import offer_config
from sixgate.cli.interrupts import raise_again
from sixgate.gc_tuning import freeze_gc

WITHOUT_CONFIG = {"init"}
"""Commands with ``--data`` whose data folder no settings file can name."""


class Command(NamedTuple):
    """Where a command is: ``module:name`` in ``sixgate.cli``; a Typer app says its own epilog."""

    at: str
    help: str
    epilog: str | None = None


COMMANDS = {
    "demo": Command(
        "demo.command:demo",
        "Run the whole pipeline once: agents, intents, gates, signatures, a verified ledger.",
        "Example: sixgate demo --data ./demo",
    ),
    "init": Command(
        "folders:init",
        "Make a data folder: an organisation, its admin key, the known chains, one account.",
        "Example: sixgate init --org acme --data ./acme",
    ),
    "up": Command(
        "folders:up",
        "Run the pipeline until SIGTERM or Ctrl-C; other commands go through it meanwhile.",
        "Example: sixgate up --data ./acme",
    ),
    "submit": Command(
        "intents.submit:submit",
        "Sign intents with their agents' keys, submit them, and show what came of each.",
        "Examples: sixgate submit intents.jsonl --save sent.jsonl\n\n"
        """echo '{"agent": "payroll", "chain": "base", "to": "0x…", "value": "0.5"}' """
        "| sixgate submit -",
    ),
    "signed": Command(
        "intents.command:signed",
        "Print what was signed, oldest first, one a line; raw bytes are in --json.",
        "Example: sixgate signed --follow --json",
    ),
    "gates": Command(
        "processes:gates",
        "Run the gates on Kafka until SIGTERM.",
        "Example: sixgate gates --config sixgate.toml",
    ),
    "signer": Command(
        "processes:signer",
        "Run the signer of some slots on Kafka until SIGTERM.",
        "Example: sixgate signer --config sixgate.toml --slots 0-3",
    ),
    "registrar": Command(
        "processes:registrar",
        "Sign again and again how far the registry goes, until SIGTERM.",
        "Example: sixgate registrar --config sixgate.toml",
    ),
    "custody": Command(
        "processes:custody",
        "Serve secrets that are no signing keys to the agents that are granted them, until "
        "SIGTERM.",
        "Example: sixgate custody --config custody.toml",
    ),
    "probe": Command(
        "probing:probe",
        "Say in one sentence whether a process gets on; exit with 13 if it is stalled.",
        "Example: sixgate probe --url http://127.0.0.1:9101 --pid 4711",
    ),
    "config": Command(
        "processes:config",
        "Print the settings of the scaled processes as they are now, secrets masked.",
        "Example: sixgate config --config sixgate.toml",
    ),
    "publish": Command(
        "processes:publish",
        "Put the organisation that sixgate init founded in the data folder on Kafka, for ever.",
        "Example: sixgate publish --config sixgate.toml",
    ),
    "agents": Command("agents.command:app", "Who may submit intents, and within which policy."),
    "access": Command(
        "agents.access:app",
        "What agents may do with secrets; nothing unless granted, and a deny wins.",
    ),
    "keys": Command("keys.command:app", "Signing keys of six chains; kept inside, never shown."),
    "vaults": Command(
        "vaults.command:app", "Vaults of secrets and keys; a vault's custody mode is for ever."
    ),
    "secrets": Command(
        "secrets.command:app", "Secrets in vaults; read by agents alone, as they are granted."
    ),
    "cmek": Command(
        "secrets.cmek:app",
        "The customer's own key over a vault's values; it never leaves the customer.",
    ),
    "kms": Command("kms:app", "The key management services that guard root keys."),
    "tx": Command("signing.transactions:app", "Sign one transaction, or take a signed one apart."),
    "message": Command("signing.messages:message", "Sign personal messages (EIP-191)."),
    "typed-data": Command("signing.messages:typed_data", "Sign typed data (EIP-712)."),
    "authorization": Command(
        "signing.messages:authorization", "Delegate a key's address (EIP-7702)."
    ),
    "intents": Command("intents.command:app", "What was asked, and what came of it."),
    "ledger": Command("ledger.command:app", "Verify, query and export the ledger."),
    "attest": Command(
        "attest.command:app",
        "Fetch a signer's evidence for a nonce, verify it, show the boots that decided.",
    ),
    "chains": Command("chains:app", "The chains that intents may name."),
    "settings": Command("settings:app", "What the organisation chose."),
    "services": Command(
        "services:app", "The processes whose signatures count, with their public keys."
    ),
    "release": Command("release:app", "Use one provider's root key for attested signers."),
    "topics": Command("topics:app", "Kafka's topics and, with --acls, the rights on them."),
}
"""Every command, in the order of ``sixgate --help``."""


class Commands(Mapping[str, Any]):
    """The commands by name; each is imported when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        return loaded(name)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS


class LazyGroup(TyperGroup):
    """The group of all commands; it imports the one that runs and lists the others."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands()  # type: ignore[assignment]  # nobody adds to it

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Typer's own signature
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the same
        """Return what help and completion list of a command, without importing it."""
        place = COMMANDS.get(cmd_name)
        return place and TyperCommand(cmd_name, help=place.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that runs; Ctrl-C raises from then on.

        A module that an exception leaves half imported fails in ways that say nothing of Ctrl-C.
        """
        name, listed, rest = super().resolve_command(ctx, args)
        command = listed and loaded(args[0])
        raise_again()
        freeze_gc()
        return name, command, rest


@cache
def loaded(name: str) -> Any:
    """Import a command and return it as Typer runs it; raise ``KeyError`` if there is none."""
    place = COMMANDS[name]
    module, _, attribute = place.at.partition(":")
    part = getattr(import_module(f"sixgate.cli.{module}"), attribute)
    alone = typer.Typer()
    if isinstance(part, typer.Typer):
        alone.add_typer(part, name=name)
    else:
        alone.command(name, epilog=place.epilog)(part)
    if name not in WITHOUT_CONFIG:
        offer_config(alone)
    return get_group(alone).commands[name]
