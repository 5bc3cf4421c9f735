"""Command table: help text and module of each command, so that commands load lazily.

Importing all commands costs a second of CPU. ``sixgate --help`` therefore reads only this table,
and a command's module is imported when it runs. Groups take their help from it; a test compares
the help of the others.
"""

from functools import cache
from importlib import import_module
from typing import NamedTuple

import click


class Entry(NamedTuple):
    """A command's location ``module:name`` in ``sixgate.cli``, and its help."""

    at: str
    help: str


_ROWS = """\
demo demo:demo Run the whole pipeline once: agents, intents, gates, signatures, a verified ledger.
init folders:init Create a data folder: an organisation, its admin key, the known chains, one account.
up folders:up Run the pipeline until SIGTERM or Ctrl-C; other commands connect to it.
submit submit:submit Sign intents with their agents' keys, submit them, and show the outcomes.
signed intents:signed List signed transactions and messages, oldest first; --json has the raw bytes.
gates processes:gates Run the gates on Kafka until SIGTERM.
signer processes:signer Run the signer of some slots on Kafka until SIGTERM.
registrar processes:registrar Sign registry heads until SIGTERM.
custody processes:custody Serve secrets to agents with a grant until SIGTERM; signing keys are never served.
gateway processes:gateway Serve the HTTP API and MCP over Kafka until SIGTERM.
desk processes:desk Sign what people change through the HTTP API, within a scope, until SIGTERM.
probe processes:probe Report whether a process is healthy. Exit code 13 means stalled.
mcp processes:mcp Serve an agent's tools to a model by MCP on standard input and output.
config processes:config Print the effective settings of the processes on Kafka, secrets masked.
publish processes:publish Copy the organisation of the data folder to Kafka. Cannot be undone.
people people:app Manage people who may use the HTTP API.
agents agents:app Manage agents and their policies.
admins admins:app Manage scoped admins, who administer the agents of one gateway.
access access:app Manage agents' rights on vaults: nothing is granted by default, and a deny wins.
keys keys:app Manage keys of six chains; only Ethereum keys sign. Private keys stay in the signer.
vaults vaults:app Manage vaults and their custody modes, which cannot be changed later.
secrets secrets:app Store secrets, and read them as an agent with a grant.
cmek cmek:app Manage the customer's own key over a vault's values; it never leaves the customer.
kms kms:app Check the key management services that hold root keys.
tx signing:tx Sign a transaction, or decode a signed one.
message signing:message Sign personal messages (EIP-191).
typed-data signing:typed_data Sign typed data (EIP-712).
authorization signing:authorization Sign delegations of a key's address (EIP-7702).
intents intents:app Show intents and their outcomes.
ledger ledger:app Verify, query and export the ledger.
attest attest:app Fetch a signer's evidence for a nonce, verify evidence, list signer boots.
chains chains:app Manage the chains that intents may name.
settings settings:app Show and change the organisation's settings.
services services:app List services with trusted signatures; add and revoke registrars and gateways.
release release:app Run one provider's key release until SIGTERM; create its keys, sign its policy.
topics topics:app Plan, apply and verify Kafka's topics or, with --acls, rights.
"""  # noqa: E501 - one row for each command
COMMANDS = {
    name: Entry(at, text) for name, at, text in (row.split(" ", 2) for row in _ROWS.splitlines())
}
"""Every command, in the order of ``sixgate --help``."""


@cache
def load_command(name: str) -> click.Command:
    """Import a command; raise ``KeyError`` for an unknown name."""
    module, _, attribute = COMMANDS[name].at.partition(":")
    command: click.Command = getattr(import_module(f"sixgate.cli.{module}"), attribute)
    return command
