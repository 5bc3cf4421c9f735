"""``sixgate demo``: creates an organisation, submits example intents and shows the results."""

import json
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import sixgate
from schemas.money import WEI_PER_ETH
from schemas.registry import AccountOpened, AgentSet, Entry, PolicySet
from signer.custody.atomic_write import write_atomic
from signer.keys.paths import agent_key_path
from signer.signatures import Ed25519Signer
from sixgate.api import Json
from sixgate.authoring import operator
from sixgate.authoring.intent_lines import split
from sixgate.authoring.producer import Directory
from sixgate.chains import default_chains
from sixgate.cli.declare import Option, command, flag
from sixgate.cli.demo_records import RecordBuilder, build_records
from sixgate.cli.demo_run import DemoRun, run_demo
from sixgate.cli.demo_views import closing_line, views
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.options import (
    DATA_DEFAULT,
    DATA_VARIABLE,
    FILE,
    config_file,
    config_option,
    use_config,
)
from sixgate.cli.policies import compose
from sixgate.cli.progress import progress
from sixgate.cli.render import Answer, View, prints
from sixgate.cli.session import Session, new_idempotency_key, session
from sixgate.cli.terminal import safe
from sixgate.clocks import wall_ms
from sixgate.data_folder.creation import Founding, create
from sixgate.data_folder.key_files import SEED_BYTES, ensure_public_key, load_key_file
from streams.simulators.example import LANDMARKS, example_genesis

EXAMPLES = Path(sixgate.__file__).parent / "examples"
LOCAL = Path(sixgate.__file__).parents[1] / "build" / "local" / "sixgate" / "sixgate.toml"
"""The settings file that ``make up`` writes for its pipeline."""
ORG = "sixgate-demo"
FUNDED_WEI = 10_000 * WEI_PER_ETH
FOREIGN_KEY = ("treasury", "wallets/treasury/cold")
"""A key that no agent has a grant for."""


class DemoAgent(NamedTuple):
    """An agent of the demo; its policy is the file with that name."""

    name: str
    account: str
    policy: str
    active: bool = True


AGENTS = (
    DemoAgent("payroll", "treasury", "payroll"),
    DemoAgent("trader", "trading", "trader"),
    DemoAgent("intern", "sandbox", "intern"),
    DemoAgent("contractor", "treasury", "payroll", active=False),
)


def _view(_plain: Json, *, found: DemoRun, where: str | None, took_s: float) -> list[View]:
    hint = "The data folder was temporary. Keep it with --data DIR."
    if where is not None:
        digest = next(one.record.digest for one in found.results if one.record.digest)
        hint = f"Details: sixgate intents show {digest[:12]} {where}"
    closing = closing_line(found).append(safe(f"  {took_s:.1f} s", "dim"))
    return [*views(found), closing.append("\n").append(safe(hint, "dim not bold"))]


@command("demo", epilog="Example: sixgate demo --data ./demo")
@Option(
    "--data DIR",
    "Data folder of the demo; can be reused.",
    type=FILE,
    envvar=DATA_VARIABLE,
    show_default="a temporary folder",
)
@Option("--examples DIR", "Folder with intents.jsonl and policies/.", type=FILE, default=EXAMPLES)
@flag("--kafka", "Use the pipeline on Kafka that make up started, or that --config names.")
@prints(_view)
@config_option
def demo(*, data: Path | None, examples: Path, kafka: bool) -> Answer:
    """Run the whole pipeline once: agents, intents, gates, signatures, a verified ledger."""
    started_s = time.monotonic()
    lines = list(split((examples / "intents.jsonl").read_bytes()))
    if kafka:
        _use_local_settings()
    with (
        _folder(data) as folder,
        progress("preparing the organisation") as bar,
        session(folder) as here,
    ):
        complete_organisation(here, examples / "policies")
        records = build_records(lines, _builder(Session(here.folder, here.api)))
        found = run_demo(here, records, bar)
    file = config_file()
    where = f"--config {file}" if file else None if data is None else f"--data {data}"
    code = ExitCode.OK if found.as_expected else ExitCode.REJECTED
    took_s = time.monotonic() - started_s
    return Answer(found.plain(), code, found=found, where=where, took_s=took_s)


def _use_local_settings() -> None:
    """Use the pipeline of ``--config``, otherwise the one that ``make up`` started."""
    if config_file() is not None:
        return
    if not LOCAL.exists():
        raise CommandError(
            ExitCode.UNREACHABLE,
            "no pipeline on Kafka found: run make up, or name its settings with --config FILE",
        )
    use_config(LOCAL)


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    """Yield the demo's folder, created if missing; on Kafka the settings name it."""
    if config_file() is not None:
        yield data or DATA_DEFAULT
        return
    with ExitStack() as stack:
        if data is None:
            made = tempfile.TemporaryDirectory(prefix="sixgate-demo-")
            data = Path(stack.enter_context(made)) / "data"
        if not (data / "trust.json").exists():
            create(data, Founding(ORG, default_chains()), wall_ms(), secrets.token_bytes)
        yield data


def _builder(here: Session) -> RecordBuilder:
    @cache
    def signer(agent: str) -> Ed25519Signer:
        return load_key_file(here.folder.agent_key(agent), agent)

    stranger = Ed25519Signer("stranger", secrets.token_bytes(SEED_BYTES))
    directory = Directory.of(here.registry)
    return RecordBuilder(directory, signer, stranger, wall_ms(), new_idempotency_key)


def complete_organisation(here: Session, policies: Path) -> None:
    """Register missing agents, provision their keys, and fund these in the simulators' geneses.

    A folder of another organisation ends the command: the demo spends only its own budget.
    """
    if here.registry["org"] != ORG:
        why = f"{here.folder.path} belongs to {here.registry['org']}: choose another --data"
        raise CommandError(ExitCode.FOLDER, why)
    here.register(*_missing(here, policies))
    keys = {(key["account"], key["path"]): key for key in here.registry["keys"]}
    own = [(agent.account, agent_key_path(agent.name)) for agent in AGENTS]
    for target in (*own, FOREIGN_KEY):
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
            yield AgentSet(
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
