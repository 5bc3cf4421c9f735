"""The demo's organisation: accounts, agents, policies and keys, created where missing."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas.money import WEI_PER_ETH
from schemas.registry import AccountOpened, AgentSet, Entry, PolicySet
from signer.custody.atomic_write import write_atomic
from signer.keys.paths import agent_key_path
from sixgate.authoring import operator
from sixgate.chains import default_chains
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.policies import compose
from sixgate.cli.session import Session
from sixgate.clocks import wall_ms
from sixgate.data_folder.creation import Founding, create
from sixgate.data_folder.key_files import ensure_public_key
from streams.simulators.example import LANDMARKS, example_genesis

ORG = "sixgate-demo"
FUNDED_WEI = 10_000 * WEI_PER_ETH
FOREIGN_KEY = ("treasury", "wallets/treasury/cold")
"""A key that no agent has a grant for."""


@dataclass(frozen=True, slots=True)
class DemoAgent:
    """An agent of the demo; its policy is the file with that name."""

    name: str
    account: str
    policy: str
    active: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """Return account and path of its own signing key."""
        return self.account, agent_key_path(self.name)


AGENTS = (
    DemoAgent("payroll", "treasury", "payroll"),
    DemoAgent("trader", "trading", "trader"),
    DemoAgent("intern", "sandbox", "intern"),
    DemoAgent("contractor", "treasury", "payroll", active=False),
)


def create_folder(data: Path) -> None:
    """Create the demo's data folder: an organisation with its admin key and all known chains."""
    create(data, Founding(ORG, default_chains()), wall_ms(), secrets.token_bytes)


def complete_organisation(here: Session, policies: Path) -> None:
    """Register missing agents, provision their keys, and fund these in the simulators' geneses.

    A folder of another organisation ends the command: the demo spends only its own budget.
    """
    if here.registry["org"] != ORG:
        why = f"{here.folder.path} belongs to {here.registry['org']}: choose another --data"
        raise CommandError(ExitCode.FOLDER, why)
    here.register(*_missing(here, policies))
    keys = {(key["account"], key["path"]): key for key in here.registry["keys"]}
    for target in (*(agent.key for agent in AGENTS), FOREIGN_KEY):
        if target not in keys:
            keys[target] = operator.provision(here.admin(), operator.KeyTarget(*target))
    _fund(here.folder.genesis, [key["address"] for key in keys.values()])


def _missing(here: Session, policies: Path) -> Iterator[Entry]:
    known = here.registry
    for account in dict.fromkeys(agent.account for agent in AGENTS):
        if account not in known["accounts"]:
            yield AccountOpened(account=account)
    for name in dict.fromkeys(agent.policy for agent in AGENTS):
        if name not in known["policies"]:
            content = compose(here, {}, policies / f"{name}.json", {})
            yield PolicySet(policy_id=name, policy=content)
    for agent in AGENTS:
        if agent.name not in known["agents"]:
            yield _agent(here, agent)


def _agent(here: Session, agent: DemoAgent) -> AgentSet:
    return AgentSet(
        agent=agent.name,
        account=agent.account,
        public_key=ensure_public_key(here.folder.agent_key(agent.name), agent.name),
        policy_id=agent.policy,
        active=agent.active,
        intents_api_enabled=True,
    )


def _fund(folder: Path, addresses: list[str]) -> None:
    """Write the geneses for simulations, unless they are up to date."""
    funded = dict.fromkeys(sorted(addresses), FUNDED_WEI)
    for chain_id in LANDMARKS:
        path, content = folder / f"{chain_id}.json", example_genesis(chain_id, funded)
        if not path.exists() or json.loads(path.read_bytes()) != content:
            write_atomic(path, json.dumps(content).encode(), replace=True)
