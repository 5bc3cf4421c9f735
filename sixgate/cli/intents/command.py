"""``sixgate intents`` and ``sixgate signed``: what was asked, and what came of it."""

import re
from typing import Annotated

import typer

from sixgate.api import Position
from sixgate.cli.intents.trail import way_of
from sixgate.cli.intents.views import intent_list, signed_line, way_views
from sixgate.cli.listing import show
from sixgate.cli.options import DATA_DEFAULT, AsJson, Data, MaybeAccount, MaybeAgent
from sixgate.cli.session import session, usage
from sixgate.cli.terminal import print_json, print_json_line, screen

app = typer.Typer(
    no_args_is_help=True,
    help="What was asked, and what came of it.",
    epilog="Example: sixgate intents list",
)


@app.command("list", epilog="Example: sixgate intents list --agent payroll --limit 50")
def list_(
    *,
    agent: MaybeAgent = None,
    account: MaybeAccount = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 20,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """List the newest intents, newest first."""
    with session(data) as here:
        if agent is not None:
            here.agent(agent)
        if account is not None:
            here.require_account(account)
        here.tell_waiting()
        found = here.api.intents(limit=limit, account=account, agent=agent)
        chains = here.registry["chains"]
    if as_json:
        print_json(found)
    else:
        show(intent_list(found, chains), screen())


@app.command("show", epilog="Example: sixgate intents show 0x3fa9")
def show_(
    *,
    intent: Annotated[
        str,
        typer.Argument(
            metavar="INTENT", help="Its digest or its transaction's hash, or the beginning of one."
        ),
    ],
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Show an intent's whole trail: every gate's verdict, its reason and its time."""
    with session(data) as here:
        here.tell_waiting()
        events = here.api.trail(intent.rstrip("….").lower())
        chains = here.registry["chains"]
    if as_json:
        print_json(events)
        return
    out = screen()
    for number, view in enumerate(way_views(way_of(events), events, chains)):
        if number:
            out.print()
        show(view, out)


def signed(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    after: Annotated[
        str, typer.Option(metavar="POSITION", help="Begin after what was printed with it.")
    ] = "0",
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Print what was signed, oldest first, one a line; raw bytes are in --json."""
    with session(data) as here:
        out = screen()
        if not follow:
            here.tell_waiting()
        for item in here.api.signed(after=_position(after), follow=follow):
            if as_json:
                print_json_line(item)
            else:
                out.print(signed_line(item), soft_wrap=True)


def _position(said: str) -> Position:
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,19})*", said):
        usage(f"--after {said!a} is no position: take the first word of a line that was printed")
    return said if "." in said else int(said)
