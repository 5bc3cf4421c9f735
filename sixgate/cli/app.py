"""The root command: parses global options, runs one command and maps its end to an exit code."""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

from signer.custody.process import forbid_core_files
from sixgate.cli.commands import COMMANDS, load_command
from sixgate.cli.declare import Command, Group, Option
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import TRACEBACK_VARIABLE, OutputClosedError, failure_of
from sixgate.cli.interrupts import ignore, raise_on_interrupt
from sixgate.cli.options import DATA_DEFAULT, DATA_VARIABLE, FILE, config_option
from sixgate.services.gc_tuning import freeze_gc, tune

COMPLETION_VARIABLE = "_SIXGATE_COMPLETE"


class _Commands(Mapping[str, click.Command]):
    """The commands by name; each is imported when it is looked up."""

    def __getitem__(self, name: str) -> click.Command:
        return load_command(name)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class LazyGroup(Group):
    """The group of all commands; imports only the command that runs."""

    def __init__(self, name: str | None, **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self.commands = _Commands()  # type: ignore[assignment]  # read-only

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """Return a stand-in for help and completion, without importing the command."""
        entry = COMMANDS.get(cmd_name)
        return entry and Command(cmd_name, help=entry.help)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Import the command that runs; only then let Ctrl-C raise ``KeyboardInterrupt``.

        Raised during an import, it would leave a half-initialised module.
        """
        name, listed, rest = super().resolve_command(ctx, args)
        command = listed and load_command(args[0])
        raise_on_interrupt()
        freeze_gc()
        return name, command, rest


@click.command(
    cls=LazyGroup,
    context_settings={"show_default": True, "max_content_width": 120},
    epilog="Try it: sixgate demo\nStart: sixgate init --org acme && sixgate agents add --help",
)
@Option(
    "--data DIR",
    "Data folder.",
    type=FILE,
    show_default=f"{DATA_VARIABLE}, otherwise ./{DATA_DEFAULT}",
)
@config_option
@click.version_option(
    None, package_name="sixgate", message="sixgate %(version)s", help="Print the version."
)
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
