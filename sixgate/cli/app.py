"""The root command: parses global options, runs one command and maps its end to an exit code."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from signer.custody.process import forbid_core_files
from sixgate.cli.commands import LazyGroup
from sixgate.cli.config_option import Config, use_config
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import TRACEBACK_VARIABLE, failure_of
from sixgate.cli.interrupts import ignore
from sixgate.cli.options import DATA_DEFAULT, DATA_VARIABLE
from sixgate.cli.output import OutputClosedError, write_line
from sixgate.gc_tuning import tune

app = typer.Typer(
    name="sixgate",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Try it: sixgate demo\n\nStart: sixgate init --org acme && sixgate agents add --help",
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's own signature
    if wanted:
        from importlib.metadata import version

        write_line(f"sixgate {version('sixgate')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            show_default=f"{DATA_VARIABLE}, otherwise ./{DATA_DEFAULT}",
            help="Data folder.",
        ),
    ] = None,
    config: Config = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Sign blockchain transactions for software agents that never hold a key."""
    if data is not None:
        os.environ[DATA_VARIABLE] = str(data)  # each command's own --data reads it
    use_config(config)


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
        app(prog_name="sixgate")
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
