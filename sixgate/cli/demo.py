"""``sixgate demo``: types the commands of a first day, attacks what they built, checks the result.

Each command is printed before its output. All share one connection to the pipeline.
"""

import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import click

import sixgate
from schemas.intents.money import WEI_PER_ETH
from schemas.strict_json import read_json
from signer.custody.atomic_write import write_atomic
from signer.keys.paths import agent_key_path
from sixgate.api import Json
from sixgate.authoring.form_fields import SIGNED, result_of
from sixgate.authoring.intent_lines import Submission, read, split
from sixgate.authoring.producer import Directory
from sixgate.cli.commands import load_command
from sixgate.cli.declare import Option, command, flag
from sixgate.cli.demo_records import Attacker, matches_intent, recovered_address
from sixgate.cli.exit_codes import CommandError, ExitCode
from sixgate.cli.options import CONFIG_VARIABLE, DATA_DEFAULT, FILE, config_file, config_option
from sixgate.cli.render import Field, show, table
from sixgate.cli.sending import SubmissionProgress, signed, signers_of
from sixgate.cli.session import Session, session
from sixgate.cli.submit import decided, refuse
from sixgate.cli.terminal import print_json, safe, screen
from sixgate.clocks import wall_ms
from streams.ledger.verifier.__main__ import main as verify_export
from streams.simulators.example import LANDMARKS, example_genesis

EXAMPLES = Path(sixgate.__file__).parent / "examples"
LOCAL = Path(sixgate.__file__).parents[1] / "build" / "local" / "sixgate" / "sixgate.toml"
"""The settings file that ``make up`` writes for its pipeline."""
ORG = "sixgate-demo"
FUNDED_WEI = 10_000 * WEI_PER_ETH
AGENTS = {"payroll": "treasury", "trader": "trading", "intern": "sandbox", "contractor": "treasury"}
"""Agents and their accounts; each has the policy in the file of its name."""
INACTIVE, SHARED = "contractor", "payroll"  # an agent, and the agent whose policy it has
FOREIGN_KEY = "wallets/treasury/cold"  # no agent has a grant for it
EDIT = ('"at_ms":1', '"at_ms":2')
_SIGNATURES = table(
    Field("line", right=True), Field("label"), Field("sender"), Field("as requested", "genuine")
)
_ATTACKS = table(
    *(Field("line", right=True), Field("label"), Field("expected", "expect"), Field("ended")),
    details=lambda row: [row["result"].get("detail", "the same outcome again")],
)


@command("demo", example="--data ./demo")
@Option("--data DIR", "Data folder [default: a temporary one].", type=FILE, envvar="SIXGATE_DATA")
@Option("--examples DIR", "Folder with intents.jsonl and policies/.", type=FILE, default=EXAMPLES)
@flag("--kafka", "Use the pipeline on Kafka that make up started, or that --config names.")
@flag("--json", "Print JSON for programs.", "as_json")
@config_option
def demo(*, data: Path | None, examples: Path, kafka: bool, as_json: bool) -> None:
    """Run the whole pipeline once: agents, intents, gates, signatures, a verified ledger."""
    started_s = time.monotonic()
    if kafka and config_file() is None:
        if not LOCAL.exists():
            why = "no pipeline on Kafka found: run make up, or name its settings with --config FILE"
            raise CommandError(ExitCode.UNREACHABLE, why)
        os.environ[CONFIG_VARIABLE] = str(LOCAL)
    out = StringIO() if as_json else sys.stdout
    with (
        redirect_stdout(out),
        redirect_stderr(out),  # one transcript, notices included
        tempfile.TemporaryDirectory(prefix="sixgate-demo-") as scratch,
        _organisation(data, Path(scratch)) as here,
    ):
        found = _run(here, examples, Path(scratch))
    if as_json:
        print_json(found)
    else:
        _close(found, data, time.monotonic() - started_s)
    raise click.exceptions.Exit(ExitCode.OK if found["as_expected"] else ExitCode.REJECTED)


@contextmanager
def _organisation(data: Path | None, scratch: Path) -> Iterator[Session]:
    """Connect to the demo's organisation, created if missing; the commands share the connection.

    A folder of another organisation ends the command: the demo spends only its own budget.
    """
    folder = data or (DATA_DEFAULT if config_file() else scratch / "data")
    if file := config_file():
        _print_command("export", f"SIXGATE_CONFIG={file}")
    else:
        if not (folder / "trust.json").exists():
            _sixgate("init", "--org", ORG, "--account", "treasury", "--data", str(folder))
        _print_command("export", f"SIXGATE_DATA={folder}")
    with session(folder) as here:
        if here.registry["org"] != ORG:
            why = f"{here.folder.path} belongs to {here.registry['org']}: choose another --data"
            raise CommandError(ExitCode.FOLDER, why)
        click.get_current_context().obj = here
        yield here


def _run(here: Session, examples: Path, scratch: Path) -> Json:
    """Run all steps; return the demo for JSON."""
    _say("Agents with policies and keys; local chains for simulations, where the keys have funds")
    _register(here.registry, examples / "policies")
    here = Session(here.folder, here.api)  # with the new agents
    _fund(here.folder.genesis, [key["address"] for key in here.registry["keys"]])
    intents, attacks = _submit(here, examples / "intents.jsonl")
    _say("All events of one intent, and what the accounts spent")
    for row in intents[:1]:
        _sixgate("intents", "show", row["intent"][:12])
    budgets = _sixgate("agents", "list")
    _say("The ledger verifies; in a copy, one edited row is found")
    verified = _sixgate("ledger", "verify")
    copy, remembered = str(scratch / "ledger.jsonl"), str(scratch / "head.json")
    head = _sixgate("ledger", "head", "--out", remembered)["head"]
    _sixgate("ledger", "export", copy, "--since", "2020-01-01")
    copy_valid = _verify(copy, remembered)
    _print_command("sed", "-i", f"1s/{'/'.join(EDIT)}/", copy)
    Path(copy).write_text(Path(copy).read_text().replace(*EDIT, 1))
    edit_found = not _verify(copy, remembered)
    rows = [*intents, *attacks]
    good = all(row["ended"] == row["expect"] and row.get("genuine", True) for row in rows)
    return {
        "intents": rows,
        "senders": {row["label"]: row["sender"] for row in intents if "sender" in row},
        "budgets": budgets,
        "verified": verified,
        "head": head,
        "as_expected": good and copy_valid and edit_found,
    }


def _register(registry: Json, policies: Path) -> None:
    """Register what a reused folder or the pipeline on Kafka lacks."""
    agents, keys = registry["agents"], {(key["account"], key["path"]) for key in registry["keys"]}
    for name, account in AGENTS.items():
        if name not in agents:
            file = ("--policy", str(policies / f"{name}.json"))
            policy = ("--policy-id", SHARED) if name == INACTIVE else file
            _sixgate("agents", "add", name, "--account", account, *policy)
        if (account, agent_key_path(name)) not in keys:
            _sixgate("keys", "provision", "--agent", name)
    if agents.get(INACTIVE, {"active": True})["active"]:
        _sixgate("agents", "deactivate", INACTIVE)
    if ("treasury", FOREIGN_KEY) not in keys:
        _sixgate("keys", "provision", FOREIGN_KEY, "--account", "treasury")


def _fund(folder: Path, addresses: list[str]) -> None:
    """Write the geneses for simulations, unless they are up to date."""
    funded = dict.fromkeys(sorted(addresses), FUNDED_WEI)
    for chain_id in LANDMARKS:
        path, content = folder / f"{chain_id}.json", example_genesis(chain_id, funded)
        if not path.exists() or json.loads(path.read_bytes()) != content:
            write_atomic(path, json.dumps(content).encode(), replace=True)


def _submit(here: Session, file: Path) -> tuple[list[Json], list[Json]]:
    """Submit the intents of a file, then its attacks; return the results of both."""
    lines = dict(split(file.read_bytes()))
    drafts, invalid, attacking = read(lines.items())
    ready, unresolved = signed(here, drafts)
    refuse([*invalid, *unresolved])
    directory, labelled = Directory.of(here.registry), {one.label: one for one in ready}
    attacker = Attacker(labelled, directory, signers_of(here.folder, directory), wall_ms())
    attacks = [read_json(lines[number]) for number in attacking]
    records = [attacker.record(line) for line in attacks]
    _say("Intents, each through admission and six gates")
    _print_command("sixgate", "submit", str(file))
    decisions = decided(here, ready, SubmissionProgress(len(ready), None))
    intents = [_checked(*pair) for pair in decisions]
    _say("Signatures: the recovered sender, and whether it signed what the intent requested")
    show(_SIGNATURES(row for row in intents if "sender" in row))
    _say("Attacks that no command sends")
    answers = [one for one in here.api.submit(records, wait=True) if "index" in one]
    answers.sort(key=lambda answer: answer["index"])
    attacked = [_row(*three) for three in zip(attacking, attacks, answers, strict=True)]
    show(_ATTACKS(attacked))
    return intents, attacked


def _row(number: int, line: Json, answer: Json) -> Json:
    """Return the result of a line for JSON."""
    about = {name: line.get(name) for name in ("label", "demo", "expect")}
    return {"line": number} | about | answer | {"ended": result_of(answer["result"])}


def _checked(one: Submission, answer: Json) -> Json:
    """Return the result of an intent; the demo checks its signature itself."""
    row = _row(one.line, {"label": one.label, "expect": one.expect}, answer)
    if row["ended"] == SIGNED:
        row["sender"] = recovered_address(answer["result"])
        same = row["sender"] == answer["result"]["sender"]
        row["genuine"] = same and matches_intent(one.intent, answer["result"])
    return row


def _verify(copy: str, remembered: str) -> bool:
    """Run the stand-alone verifier on an export of the ledger."""
    words = (copy, "--head", remembered)
    _print_command("python", "-m", "streams.ledger.verifier", *words)
    return verify_export(words) == ExitCode.OK


def _say(sentence: str, style: str = "bold") -> None:
    screen().print("", safe(sentence, style), sep="\n")


def _sixgate(*words: str) -> Any:
    """Print a command, run it as part of this one, and return what it returns."""
    _print_command("sixgate", *words)
    named = load_command(words[0])
    with named.make_context(words[0], list(words[1:]), click.get_current_context()) as context:
        return named.invoke(context)


def _print_command(*words: str) -> None:
    screen().print(safe(f"$ {shlex.join(words)}", "cyan"))


def _close(found: Json, data: Path | None, took_s: float) -> None:
    """Print how many records ended as expected, and how to go on."""
    rows, file = found["intents"], config_file()
    met = sum(row["ended"] == row["expect"] for row in rows)
    text = f"{met} of {len(rows)} intents ended as expected; the ledger verifies.  {took_s:.1f} s"
    hint = "The data folder was temporary. Keep it with --data DIR."
    if file or data:
        hint = f"Go on: sixgate intents list {f'--config {file}' if file else f'--data {data}'}"
    _say(text, "bold green" if found["as_expected"] else "bold red")
    show(safe(hint, "dim"))
