"""``sixgate intents`` and ``sixgate signed``: shows intents, trails and signed outcomes."""

import re
from typing import Annotated

import typer

from sixgate.api import Position
from sixgate.cli.intents.trail import trail_of
from sixgate.cli.intents.views import intent_list, signed_line, trail_views
from sixgate.cli.render import show
from sixgate.cli.session import fail_usage, session
from sixgate.cli.terminal import print_json, print_json_line, screen
from sixgate.cli.typer_options import DATA_DEFAULT, AccountFilter, AgentFilter, AsJson, Data

app = typer.Typer(
    no_args_is_help=True,
    help="Show intents and their outcomes.",
    epilog="Example: sixgate intents list",
)


@app.command("list", epilog="Example: sixgate intents list --agent payroll --limit 50")
def list_(
    *,
    agent: AgentFilter = None,
    account: AccountFilter = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Only intents with this idempotency key.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Maximum number of intents.")] = 20,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """List the newest intents, newest first."""
    with session(data) as here:
        if agent is not None:
            here.agent(agent)
        if account is not None:
            here.require_account(account)
        here.warn_pending()
        found = here.api.intents(limit=limit, account=account, agent=agent, idempotency_key=key)
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
            metavar="INTENT", help="Digest or transaction hash of the intent, or its start."
        ),
    ],
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Show all events of an intent, with each gate's verdict, reason and time."""
    with session(data) as here:
        here.warn_pending()
        events = here.api.trail(intent.rstrip("….").lower())
        chains = here.registry["chains"]
    if as_json:
        print_json(events)
        return
    out = screen()
    for number, view in enumerate(trail_views(trail_of(events), events, chains)):
        if number:
            out.print()
        show(view, out)


def signed(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for new ones.")] = False,
    after: Annotated[
        str,
        typer.Option(metavar="POSITION", help="Start after this position (first column)."),
    ] = "0",
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """List signed transactions and messages, oldest first; --json has the raw bytes."""
    with session(data) as here:
        out = screen()
        if not follow:
            here.warn_pending()
        for item in here.api.signed(after=_position(after), follow=follow):
            if as_json:
                print_json_line(item)
            else:
                out.print(signed_line(item), soft_wrap=True)


def _position(value: str) -> Position:
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,19})*", value):
        fail_usage(f"invalid --after {value!a}: use a position from the first column of the output")
    return value if "." in value else int(value)
