"""``sixgate ledger``: verifies and queries the ledger, saves its head, exports rows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from schemas.strict_json import JsonError, read_json
from signer.custody.atomic_write import write_atomic
from sixgate.api import Json
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.ledger import server
from sixgate.cli.ledger.sql_view import answer_view
from sixgate.cli.progress import progress
from sixgate.cli.render import Sheet, show
from sixgate.cli.session import fail_usage, session
from sixgate.cli.terminal import notices, print_json, safe, screen
from sixgate.cli.times import format_time, parse_time_ms
from sixgate.cli.typer_options import DATA_DEFAULT, AsJson, Data
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder

FORMS = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}
SINCE_DEFAULT = "90d"
app = typer.Typer(
    no_args_is_help=True,
    help="Verify, query and export the ledger.",
    epilog="Example: sixgate ledger verify",
)
app.command(epilog="Example: sixgate ledger run --config ledger.toml")(server.run)
app.command(epilog="Example: sixgate ledger migrate --config ddl.toml")(server.migrate)


@app.command(
    epilog="Examples: sixgate ledger verify\n\nsixgate ledger verify --head remembered-head.json"
)
def verify(
    *,
    head: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Head saved by `ledger head --out`.")
    ] = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Verify every row with both verifiers. Exit code 8 means a wrong row; the first is named."""
    remembered = _read_head(head) if head else None
    with session(data) as here, progress("verifying") as bar:
        found: Json = {}
        for item in here.api.verify(head=remembered):
            if "progress" in item:
                bar.show(item["progress"], item["of"], f"verifying ({item['verifier']})")
            else:
                found = item["verified"]
    if as_json:
        print_json(found)
    else:
        show(Sheet("Verified", list(_verified(found))), screen())


@app.command(epilog="Example: sixgate ledger head --out remembered-head.json")
def head(
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File for the head; keep it off this machine."),
    ] = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Show the newest signed ledger head. A saved head proves a later rewrite of the ledger."""
    if out:
        Folder(data).check_outside(out)
    with session(data) as here:
        found = here.api.head()
    if out:
        write_atomic(out, json.dumps(found).encode() + b"\n", replace=True)
        notices().print(safe(f"Saved the head in {out}: keep it where nobody can change it."))
    if as_json:
        print_json(found)
    elif not out:
        show(Sheet("Head", list(_flat(found["head"]))), screen())


@app.command(
    epilog='Examples: sixgate ledger sql "SELECT agent, count() FROM intents GROUP BY agent"\n\n'
    'sixgate ledger sql "SHOW TABLES"\n\nsixgate ledger sql "DESCRIBE intents"'
)
def sql(
    *,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A read-only query.")],
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Query the ledger in ClickHouse SQL: ledger, intents, trail and other views."""
    with session(data) as here, progress("querying"):
        here.warn_pending()
        found = here.api.sql(query)
    if as_json:
        print_json(found)
    else:
        out = screen()
        out.print(answer_view(found["columns"], found["rows"], out), soft_wrap=True)


@app.command(
    epilog="Example: sixgate ledger export march.parquet --since 2026-03-01 --until 2026-04-01"
)
def export(  # noqa: PLR0913 - Typer reads the options from the signature
    *,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Output file: .csv, .jsonl or .parquet.")
    ],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORM",
            show_default="by the file's name",
            help="csv, jsonl or parquet.",
        ),
    ] = None,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Start: 7d (ago), or ISO 8601.")
    ] = SINCE_DEFAULT,
    until: Annotated[str, typer.Option(metavar="TIME", help="End, exclusive.")] = "now",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Export the ledger's rows of a period to a file."""
    chosen = form or FORMS.get(file.suffix, "")
    if chosen not in FORMS.values():
        fail_usage(
            f"unknown format of {file}: give --format csv, jsonl or parquet, or such a file name"
        )
    if file.exists() and not force:
        raise CommandError(ExitCode.FOLDER, f"{file} exists: choose another file, or add --force")
    Folder(data).check_outside(file)
    since_ms, until_ms = _range(since, until)
    with session(data) as here, progress("exporting") as bar:
        path, done = str(file.absolute()), {}
        for item in here.api.export(path, form=chosen, since_ms=since_ms, until_ms=until_ms):
            done = item
            bar.show(item.get("progress", 0), item.get("of"))
    if as_json:
        print_json(done)
    else:
        notices().print(safe(f"Exported {done['rows']} rows to {file}."))


def _range(since: str, until: str) -> tuple[int, int]:
    at_ms = wall_ms()
    try:
        since_ms, until_ms = parse_time_ms(since, at_ms), parse_time_ms(until, at_ms)
    except ValueError as error:
        fail_usage(str(error))
    if since_ms >= until_ms:
        fail_usage(
            f"--since {format_time(since_ms)} must be before --until {format_time(until_ms)}"
        )
    return since_ms, until_ms


def _read_head(file: Path) -> Json:
    try:
        found = read_json(file.read_bytes())
    except JsonError as error:
        fail_usage(f"{file} {error}")
    if not isinstance(found, dict) or not isinstance(found.get("envelope"), dict):
        fail_usage(f"{file} is not a ledger head: use a file written by sixgate ledger head --out")
    envelope: Json = found["envelope"]
    return envelope


def _verified(found: Json) -> Iterator[tuple[str, object]]:
    remembered = found.pop("remembered")
    yield from _flat(found)
    yield "verifiers", "SQL in the engine and Python outside it agree"
    if remembered is not None:
        yield "remembered head", f"row {remembered} is in the ledger, with the head's hash"


def _flat(value: Json, before: str = "") -> Iterator[tuple[str, object]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{before}{name} ")
        else:
            yield f"{before}{name}", inner
