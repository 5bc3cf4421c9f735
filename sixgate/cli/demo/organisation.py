"""Who plays: the demo's organisation, made in a folder where it is not there yet."""

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
from sixgate.cli.agents.policies import compose
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.session import Session
from sixgate.clocks import wall_ms
from sixgate.data_folder.creation import Founding, create
from sixgate.data_folder.key_files import ensure_public_key
from streams.simulators.example import LANDMARKS, example_genesis

ORG = "sixgate-demo"
FUNDED_WEI = 10_000 * WEI_PER_ETH
FOREIGN_KEY = ("treasury", "wallets/treasury/cold")
"""A key that no agent of its account may use."""


@dataclass(frozen=True, slots=True)
class Player:
    """An agent of the demo; its policy is the file of that name."""

    name: str
    account: str
    policy: str
    active: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """Return account and path of its own signing key."""
        return self.account, agent_key_path(self.name)


CAST = (
    Player("payroll", "treasury", "payroll"),
    Player("trader", "trading", "trader"),
    Player("intern", "sandbox", "intern"),
    Player("contractor", "treasury", "payroll", active=False),
)


def create_folder(data: Path) -> None:
    """Make the demo's data folder: an organisation with its admin key and all known chains."""
    create(data, Founding(ORG, default_chains()), wall_ms(), secrets.token_bytes)


def complete(here: Session, policies: Path) -> None:
    """Register whoever is missing, provision their keys, fund them where intents are simulated.

    Ends the command in a folder of another organisation: the demo spends only its own budget.
    """
    if here.registry["org"] != ORG:
        why = f"{here.folder.path} belongs to {here.registry['org']}: give the demo its own folder"
        raise CommandError(ExitCode.FOLDER, why)
    here.register(*_missing(here, policies))
    keys = {(key["account"], key["path"]): key for key in here.registry["keys"]}
    for place in (*(player.key for player in CAST), FOREIGN_KEY):
        if place not in keys:
            keys[place] = operator.provision(here.admin(), operator.KeyPlace(*place))
    _fund(here.folder.genesis, [key["address"] for key in keys.values()])


def _missing(here: Session, policies: Path) -> Iterator[Entry]:
    known = here.registry
    for account in dict.fromkeys(player.account for player in CAST):
        if account not in known["accounts"]:
            yield AccountOpened(account=account)
    for name in dict.fromkeys(player.policy for player in CAST):
        if name not in known["policies"]:
            content = compose(here, {}, policies / f"{name}.json", {})
            yield PolicySet(policy_id=name, policy=content)
    for player in CAST:
        if player.name not in known["agents"]:
            yield _agent(here, player)


def _agent(here: Session, player: Player) -> AgentSet:
    return AgentSet(
        agent=player.name,
        account=player.account,
        public_key=ensure_public_key(here.folder.agent_key(player.name), player.name),
        policy_id=player.policy,
        active=player.active,
        intents_api_enabled=True,
    )


def _fund(folder: Path, addresses: list[str]) -> None:
    """Write the geneses that intents are simulated on, unless they are there as they should be."""
    funded = dict.fromkeys(sorted(addresses), FUNDED_WEI)
    for chain_id in LANDMARKS:
        path, content = folder / f"{chain_id}.json", example_genesis(chain_id, funded)
        if not path.exists() or json.loads(path.read_bytes()) != content:
            write_atomic(path, json.dumps(content).encode(), replace=True)
