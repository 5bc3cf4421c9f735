"""``sixgate demo``: creates an organisation, submits example intents and shows the results."""

import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated

import typer

import sixgate
from signer.signatures import Ed25519Signer
from sixgate.authoring.intent_lines import split
from sixgate.authoring.producer import Directory
from sixgate.cli.demo.local_settings import use_local_settings
from sixgate.cli.demo.organisation import complete_organisation, create_folder
from sixgate.cli.demo.run import DemoRun, run_demo
from sixgate.cli.demo.script import RecordBuilder, build_records
from sixgate.cli.demo.views import closing_line, views
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.progress import progress
from sixgate.cli.session import Session, new_idempotency_key, session
from sixgate.cli.terminal import print_json, safe, screen
from sixgate.cli.typer_config import config_file
from sixgate.cli.typer_options import DATA_DEFAULT, DATA_VARIABLE, AsJson
from sixgate.clocks import wall_ms
from sixgate.data_folder.key_files import SEED_BYTES, load_key_file

EXAMPLES = Path(sixgate.__file__).parent / "examples"


def demo(
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar=DATA_VARIABLE,
            show_default="a temporary folder",
            help="Data folder of the demo; can be reused.",
        ),
    ] = None,
    examples: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder with intents.jsonl and policies/."),
    ] = EXAMPLES,
    kafka: Annotated[
        bool,
        typer.Option(
            "--kafka",
            help="Use the pipeline on Kafka that make up started, or that --config names.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole pipeline once: agents, intents, gates, signatures, a verified ledger."""
    started_s = time.monotonic()
    lines = list(split((examples / "intents.jsonl").read_bytes()))
    if kafka:
        use_local_settings()
    with (
        _folder(data) as folder,
        progress("preparing the organisation") as bar,
        session(folder) as here,
    ):
        complete_organisation(here, examples / "policies")
        records = build_records(lines, _builder(Session(here.folder, here.api)))
        found = run_demo(here, records, bar)
    if as_json:
        print_json(_plain(found))
    else:
        _print(found, _where(data), time.monotonic() - started_s)
    raise typer.Exit(ExitCode.OK if found.as_expected else ExitCode.REJECTED)


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    """Yield the demo's folder, created if missing; on Kafka the settings name it."""
    if config_file() is not None:
        yield data or DATA_DEFAULT
        return
    with ExitStack() as stack:
        folder = data or _temporary(stack)
        if not (folder / "trust.json").exists():
            create_folder(folder)
        yield folder


def _temporary(stack: ExitStack) -> Path:
    made = tempfile.TemporaryDirectory(prefix="sixgate-demo-")
    return Path(stack.enter_context(made)) / "data"


def _where(data: Path | None) -> str | None:
    """Return the option that selects the demo's pipeline again; None for a temporary folder."""
    if (file := config_file()) is not None:
        return f"--config {file}"
    return None if data is None else f"--data {data}"


def _builder(here: Session) -> RecordBuilder:
    @cache
    def signer(agent: str) -> Ed25519Signer:
        return load_key_file(here.folder.agent_key(agent), agent)

    stranger = Ed25519Signer("stranger", secrets.token_bytes(SEED_BYTES))
    return RecordBuilder(
        Directory.of(here.registry), signer, stranger, wall_ms(), new_idempotency_key
    )


def _print(found: DemoRun, where: str | None, took_s: float) -> None:
    out = screen()
    for heading, table in views(found):
        out.print(heading, table, "", sep="\n")
    out.print(closing_line(found).append(safe(f"  {took_s:.1f} s", "dim")))
    if where is None:
        out.print(safe("The data folder was temporary. Keep it with --data DIR.", "dim"))
    else:
        digest = next(one.record.digest for one in found.results if one.record.digest)
        hint = f"Details: sixgate intents show {digest[:12]} {where}"
        out.print(safe(hint, "dim"), soft_wrap=True)  # unbroken, so that it can be copied


def _plain(found: DemoRun) -> dict[str, object]:
    return {
        "intents": [
            {
                "label": one.record.label,
                "demo": one.record.kind,
                "expect": one.record.expect,
                "ended": one.ending,
                "repeated": one.repeated,
                "took_ms": one.took_ms,
                "intent": one.record.digest or None,
                "result": one.event,
            }
            for one in found.results
        ],
        "senders": {check.result.record.label: check.recovered for check in found.checks},
        "budgets": list(found.budgets),
        "verified": found.verified,
        "head": found.head,
        "as_expected": found.as_expected,
    }
