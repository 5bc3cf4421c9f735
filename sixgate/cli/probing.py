"""``sixgate probe``: health check of a process; optionally ends a stalled one."""

import click

from sixgate.cli.declare import Option, command
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.render import show
from sixgate.cli.session import fail_usage

TERM_S_MAX = 10.0
CODES = {"STALLED": ExitCode.STALLED, "ABSENT": ExitCode.UNREACHABLE, "UNEXPECTED": ExitCode.USAGE}


@command("probe", epilog="Example: sixgate probe --url http://127.0.0.1:9101 --pid 4711")
@Option("--url http://HOST:PORT", "Metrics address of the process.", required=True)
@Option(
    "--stalled-s",
    "Seconds without an answer or progress that mean stalled.",
    type=click.FloatRange(0.1, 3_600),
    default=30.0,
)
@Option("--pid", "End this process if it is stalled and owns the URL.", type=click.IntRange(min=2))
def probe(*, url: str, stalled_s: float, pid: int | None) -> None:
    """Report whether a process is healthy. Exit code 13 means stalled."""
    from sixgate.scaled.probe import State, check_health, parse_address  # slow, as the next one
    from sixgate.scaled.process_termination import WrongProcessError, terminate

    try:
        at = parse_address(url)
    except ValueError as error:
        fail_usage(f"--url {url!a} is {error}")
    found = check_health(at, stalled_s)
    if found.state is State.HEALTHY:
        show(found.sentence)
        return
    ended = ""
    if pid is not None and found.state is State.STALLED:
        try:
            ended = f" {terminate(pid, at, TERM_S_MAX)} ended process {pid}: restart it."
        except WrongProcessError as error:
            fail_usage(str(error))
    raise CommandError(CODES[found.state.name], found.sentence + ended)
