"""The command ``sixgate demo``."""

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
from sixgate.cli.config_option import config_file
from sixgate.cli.demo.local import find_local
from sixgate.cli.demo.organisation import complete, create_folder
from sixgate.cli.demo.run import Show, play
from sixgate.cli.demo.script import Stage, acts_of
from sixgate.cli.demo.views import closing, views
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.options import DATA_DEFAULT, DATA_VARIABLE, AsJson
from sixgate.cli.progress import progress
from sixgate.cli.session import Session, new_idempotency_key, session
from sixgate.cli.terminal import print_json, safe, screen
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
            show_default="a temporary one",
            help="The demo's own data folder; it may be used again.",
        ),
    ] = None,
    examples: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The folder of intents.jsonl and policies/."),
    ] = EXAMPLES,
    kafka: Annotated[
        bool,
        typer.Option("--kafka", help="Play on what make up started, or on what --config names."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole pipeline once: agents, intents, gates, signatures, a verified ledger."""
    started_s = time.monotonic()
    lines = list(split((examples / "intents.jsonl").read_bytes()))
    if kafka:
        find_local()
    with _folder(data) as folder, progress("setting the stage") as bar, session(folder) as here:
        complete(here, examples / "policies")
        acts = acts_of(lines, _stage(Session(here.folder, here.api)))
        show = play(here, acts, bar)
    if as_json:
        print_json(_plain(show))
    else:
        _print(show, _where(data), time.monotonic() - started_s)
    raise typer.Exit(ExitCode.OK if show.as_expected else ExitCode.REJECTED)


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    """Lend the demo's folder, made if it is absent; on Kafka it is the settings' own."""
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
    """Return the option that finds what was played again; None if it is gone."""
    if (file := config_file()) is not None:
        return f"--config {file}"
    return None if data is None else f"--data {data}"


def _stage(here: Session) -> Stage:
    @cache
    def signer(agent: str) -> Ed25519Signer:
        return load_key_file(here.folder.agent_key(agent), agent)

    stranger = Ed25519Signer("stranger", secrets.token_bytes(SEED_BYTES))
    return Stage(Directory.of(here.registry), signer, stranger, wall_ms(), new_idempotency_key)


def _print(show: Show, where: str | None, took_s: float) -> None:
    out = screen()
    for heading, table in views(show):
        out.print(heading, table, "", sep="\n")
    out.print(closing(show).append(safe(f"  {took_s:.1f} s", "dim")))
    if where is None:
        out.print(safe("The folder was a temporary one; --data DIR keeps it.", "dim"))
    else:
        digest = next(scene.act.digest for scene in show.scenes if scene.act.digest)
        closer = f"Look closer: sixgate intents show {digest[:12]} {where}"
        out.print(safe(closer, "dim"), soft_wrap=True)  # a command that is broken is not copied


def _plain(show: Show) -> dict[str, object]:
    return {
        "intents": [
            {
                "label": scene.act.label,
                "demo": scene.act.kind,
                "expect": scene.act.expect,
                "ended": scene.ending,
                "repeated": scene.repeated,
                "took_ms": scene.took_ms,
                "intent": scene.act.digest or None,
                "result": scene.result,
            }
            for scene in show.scenes
        ],
        "senders": {proof.scene.act.label: proof.recovered for proof in show.proofs},
        "budgets": list(show.budgets),
        "verified": show.verified,
        "head": show.head,
        "as_expected": show.as_expected,
    }
