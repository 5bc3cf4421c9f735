"""``sixgate probe``: health check of a process; optionally ends a stalled one."""

from typing import Annotated

import typer

from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.session import fail_usage
from sixgate.cli.terminal import safe, screen

TERM_S_MAX = 10.0
CODES = {"STALLED": ExitCode.STALLED, "ABSENT": ExitCode.UNREACHABLE, "UNEXPECTED": ExitCode.USAGE}


def probe(
    *,
    url: Annotated[
        str, typer.Option(metavar="http://HOST:PORT", help="Metrics address of the process.")
    ],
    stalled_s: Annotated[
        float,
        typer.Option(
            min=0.1, max=3_600, help="Seconds without an answer or progress that mean stalled."
        ),
    ] = 30,
    pid: Annotated[
        int | None, typer.Option(min=2, help="End this process if it is stalled and owns the URL.")
    ] = None,
) -> None:
    """Report whether a process is healthy. Exit code 13 means stalled."""
    from sixgate.scaled.probe import State, check_health, parse_address
    from sixgate.scaled.process_termination import (
        WrongProcessError,
        terminate,
    )  # not for every command

    try:
        at = parse_address(url)
    except ValueError as error:
        fail_usage(f"--url {url!a} is {error}")
    found = check_health(at, stalled_s)
    if found.state is State.HEALTHY:
        screen().print(safe(found.sentence), soft_wrap=True)
        return
    ended = ""
    if pid is not None and found.state is State.STALLED:
        try:
            ended = f" {terminate(pid, at, TERM_S_MAX)} ended process {pid}: restart it."
        except WrongProcessError as error:
            fail_usage(str(error))
    raise CommandError(CODES[found.state.name], found.sentence + ended)
