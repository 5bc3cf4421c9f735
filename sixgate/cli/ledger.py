"""``sixgate ledger``: verifies, queries, exports and serves the ledger, and saves its head."""

import json
from collections.abc import Iterator
from pathlib import Path

from signer.custody.atomic_write import write_atomic
from sixgate.api import Json
from sixgate.cli.declare import Option, argument, flag, group
from sixgate.cli.exit_codes import CommandError, ExitCode, fail_usage
from sixgate.cli.files import read_json_file
from sixgate.cli.formats import format_time
from sixgate.cli.options import FILE, TIME, config_option, insecure_dev, process_settings
from sixgate.cli.processes import run_until_stopped
from sixgate.cli.render import Answer, Listing, Row, Sheet, View
from sixgate.cli.session import Session, shows
from sixgate.cli.terminal import notice, progress, screen

FORMS = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}
app = group("ledger", example="verify")


@app.command("run", example="--config ledger.toml")
@config_option
@insecure_dev
def run() -> None:
    """Copy all records from Kafka to the ledger's server until SIGTERM."""
    run_until_stopped("services.ledger:LedgerProcess", process_settings())


@app.command("migrate", example="--config ddl.toml")
@config_option
def migrate() -> None:
    """Create or update the ledger's tables on the server, as user ledger_ddl."""
    from sixgate.services.ledger import migrate_ledger

    count = migrate_ledger(process_settings())
    notice(f"{count} migrations applied." if count else "The ledger's tables are up to date.")


def _flat(value: Json, before: str = "") -> Iterator[tuple[str, object]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{before}{name} ")
        else:
            yield f"{before}{name}", inner


def _verified(found: Json) -> Sheet:
    remembered, beyond = found.pop("remembered"), found.pop("beyond_heads")
    recorded = found.pop("beyond_heads_in_log")
    pairs = [*_flat(found), ("verifiers", "SQL in the engine and Python outside it agree")]
    if remembered is not None:
        pairs.append(
            ("remembered head", f"row {remembered} is in the ledger, with the head's hash")
        )
    if beyond:
        in_log = f"{recorded} of them equal their records in the log"
        said = f"the last {beyond} rows are newer than the newest signed head; {in_log}"
        pairs.append(("not yet vouched for", said))
    return Sheet("Verified", pairs)


@app.command("verify", example="\n--head remembered-head.json")
@Option("--head FILE", "Head saved by `ledger head --out`.", type=FILE)
@shows(_verified)
def verify(here: Session, *, head: Path | None) -> Json:
    """Verify every row with both verifiers. Exit code 8 means a wrong row; the first is named."""
    found: Json = {}
    with progress("verifying") as bar:
        for item in here.api.verify(head=_read_head(head) if head else None):
            if "progress" in item:
                bar.show(item["progress"], item["of"], f"verifying ({item['verifier']})")
            else:
                found = item["verified"]
    return found


def _read_head(file: Path) -> Json:
    found = read_json_file(file)
    if not isinstance(found, dict) or not isinstance(found.get("envelope"), dict):
        fail_usage(f"{file} is not a ledger head: use a file written by sixgate ledger head --out")
    envelope: Json = found["envelope"]
    return envelope


def _head(found: Json, *, out: Path | None) -> list[View]:
    return [] if out else [Sheet("Head", list(_flat(found["head"])))]


@app.command("head", example="--out remembered-head.json")
@Option("--out FILE", "File for the head; keep it off this machine.", type=FILE)
@shows(_head)
def head(here: Session, *, out: Path | None) -> Answer:
    """Show the newest signed ledger head. A saved head proves a later rewrite of the ledger."""
    if out:
        here.folder.check_outside(out)
    found = here.api.head()
    if out:
        write_atomic(out, json.dumps(found).encode() + b"\n", replace=True)
        notice(f"Saved the head in {out}: keep it where nobody can change it.")
    return Answer(found, out=out)


def _rows(found: Json) -> View:
    """Return a table, or a sheet with a line for each field if the table is too wide."""
    columns, rows = found["columns"], found["rows"]
    made = Listing(columns, [Row(row) for row in rows])
    if len(columns) == 1 or made.width <= screen().width:
        return made
    numbered = (
        ((f"— row {number}", ""), *zip(columns, row, strict=True))
        for number, row in enumerate(rows, start=1)
    )
    return Sheet("", [pair for row in numbered for pair in row])


@app.command(
    "sql",
    example='"SELECT agent, count() FROM intents GROUP BY agent"\n'
    '"SHOW TABLES"\n'
    '"DESCRIBE intents"',
)
@argument("QUERY", "A read-only query.")
@shows(_rows)
def sql(here: Session, *, query: str) -> Json:
    """Query the ledger in ClickHouse SQL: ledger, intents, trail and other views."""
    with progress("querying"):
        here.warn_pending()
        return here.api.sql(query)


@app.command("export", example="march.parquet --since 2026-03-01 --until 2026-04-01")
@argument("FILE", "Output file: .csv, .jsonl or .parquet.", type=FILE)
@Option("--format FORM", "csv, jsonl or parquet.", name="form", show_default="by the file's name")
@Option("--since", "Start: 7d (ago), or ISO 8601.", type=TIME, default="90d")
@Option("--until", "End, exclusive.", type=TIME, default="now")
@flag("--force", "Replace an existing file.")
@shows(lambda _done: [])
def export(
    here: Session, *, file: Path, form: str | None, since: int, until: int, force: bool
) -> Json:
    """Export the ledger's rows of a period to a file."""
    chosen = form or FORMS.get(file.suffix, "")
    if chosen not in FORMS.values():
        fail_usage(
            f"unknown format of {file}: give --format csv, jsonl or parquet, or such a file name"
        )
    if file.exists() and not force:
        raise CommandError(ExitCode.FOLDER, f"{file} exists: choose another file, or add --force")
    if since >= until:
        fail_usage(f"--since {format_time(since)} must be before --until {format_time(until)}")
    here.folder.check_outside(file)
    done: Json = {}
    with progress("exporting") as bar:
        path = str(file.absolute())
        for done in here.api.export(path, form=chosen, since_ms=since, until_ms=until):
            bar.show(done.get("progress", 0), done.get("of"))
    notice(f"Exported {done['rows']} rows to {file}.")
    return done
