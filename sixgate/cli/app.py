"""The root command: parses global options, runs one command and maps its end to an exit code."""

import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from signer.custody.process import forbid_core_files
from sixgate.cli.commands import LazyGroup
from sixgate.cli.declare import Option, flag
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import TRACEBACK_VARIABLE, failure_of
from sixgate.cli.interrupts import ignore
from sixgate.cli.options import DATA_DEFAULT, DATA_VARIABLE, FILE, config_option
from sixgate.cli.output import OutputClosedError, write_line
from sixgate.gc_tuning import tune

COMPLETION_VARIABLE = "_SIXGATE_COMPLETE"


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's own signature
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        write_line(f"sixgate {version('sixgate')}")
        ctx.exit()


@click.command(
    cls=LazyGroup,
    context_settings={"show_default": True, "max_content_width": 120},
    epilog="Try it: sixgate demo\n\nStart: sixgate init --org acme && sixgate agents add --help",
)
@Option(
    "--data DIR",
    "Data folder.",
    type=FILE,
    show_default=f"{DATA_VARIABLE}, otherwise ./{DATA_DEFAULT}",
)
@config_option
@flag("--version", "Print the version.", is_eager=True, expose_value=False, callback=_print_version)
def app(data: Path | None) -> None:
    """Sign blockchain transactions for software agents that never hold a key."""
    if data is not None:
        os.environ[DATA_VARIABLE] = str(data)  # each command's own --data reads it


def main() -> NoReturn:
    """Set up this process, run the command line and exit."""
    _repair_streams()
    tune()
    for name in ("sixgate", "aiokafka"):  # a short command prints one sentence instead of logs
        logging.getLogger(name).addHandler(logging.NullHandler())
    forbid_core_files()
    _exit_quietly(run())


def run() -> int:
    """Run one command and return its exit code; every failure is one sentence and a code.

    A caller may run several commands in one process: only ``main`` changes garbage collection and
    signal handlers. ``--data`` and ``--config`` stay in ``os.environ``.
    """
    try:
        return _run()
    except BaseException as error:  # noqa: BLE001 - the end of a command: report, then exit
        ignore()  # the imports for the report take a third of a second
        return _report(error)


def _run() -> int:
    try:
        if COMPLETION_VARIABLE in os.environ:  # a shell asks for the possible next words
            app.main(prog_name="sixgate")
        with app.make_context("sixgate", sys.argv[1:]) as context:
            app.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SystemExit as ended:
        if ended.code == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt from None
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return ExitCode.OK


def _report(error: BaseException) -> int:
    failure = failure_of(error)
    try:
        if os.environ.get(TRACEBACK_VARIABLE):
            sys.excepthook(type(error), error, error.__traceback__)
        if failure.sentence:
            _print_error(failure.sentence)
    except (OSError, OutputClosedError):  # standard error is gone; supervisors act on the exit code
        _discard(2)
    return failure.code


def _discard(stream: int) -> None:
    """Redirect a lost stream to /dev/null, so that flushing its buffer does not raise again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def _print_error(sentence: str) -> None:
    try:
        from sixgate.cli.terminal import notices, safe

        line = safe("Error: ", "bold red").append(safe(sentence, "default not bold"))
        notices().print(line, soft_wrap=True)
    except (ImportError, OSError):  # the installation was upgraded, or no file descriptor is left
        plain = "".join(c if c.isprintable() else "?" for c in sentence)
        sys.stderr.write(f"Error: {plain}\n")


def _repair_streams() -> None:
    """Replace closed standard streams by /dev/null, and unencodable characters by ``?``."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - lives as long as the process
        getattr(sys, name).reconfigure(errors="replace")


def _exit_quietly(code: int) -> NoReturn:
    """Exit; a reader that closed the pipe causes no error at the last flush."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        _discard(1)
    sys.exit(code)
