"""Accounts with one agent and one key each, and an endless stream of their signed intents."""

import secrets
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks import fixtures
from schemas.dsse import INTENT_TYPE
from schemas.record import Outgoing
from schemas.registry.records import AccountOpened, AgentSet, Entry, PolicySet
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.clocks import wall_ms
from sixgate.data_folder.creation import Founding, create
from sixgate.data_folder.folder import Folder
from streams.log.sqlite import SqliteLog

ORG = "bench"


class Trader(NamedTuple):
    """An account and the one agent that acts for it."""

    account: str
    agent: Ed25519Signer


def make_traders(accounts: int) -> list[Trader]:
    """Return one trader for each account."""
    return [
        Trader(f"account-{n}", Ed25519Signer(f"agent-{n}", secrets.token_bytes(32)))
        for n in range(accounts)
    ]


def make_folder(path: Path, traders: list[Trader], partitions: int) -> Folder:
    """Create a data folder with one key order per account."""
    entries: list[Entry] = [PolicySet(policy_id="standard", policy=fixtures.POLICY), fixtures.BASE]
    for account, agent in traders:
        entries += [AccountOpened(account=account), _agent_entry(account, agent)]
    founding = Founding(ORG, entries, partitions)
    folder = create(path, founding, wall_ms(), secrets.token_bytes)
    inbox = SqliteLog(folder.inbox, partitions)
    inbox.append([fixtures.key_order(folder, trader.account) for trader in traders], wall_ms())
    inbox.close()
    return folder


def signed_intents(traders: Sequence[Trader]) -> Iterator[Outgoing]:
    """Yield unique signed intents of all accounts in turn, without end."""
    name = secrets.token_hex(8)
    for number in count():
        account, agent = traders[number % len(traders)]
        intent = fixtures.intent(f"{name}-{number}", account=account, agent=agent.keyid)
        envelope = agent.sign_envelope(INTENT_TYPE, intent.encode())
        yield Outgoing(Topic.SUBMITTED, account, envelope.encode())


def _agent_entry(account: str, agent: Ed25519Signer) -> AgentSet:
    return fixtures.agent_entry(agent).model_copy(update={"agent": agent.keyid, "account": account})
