"""The whole command line, and how a command ends."""

import logging
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from signer.custody.process import forbid_core_files
from sixgate.cli import (
    chains,
    folders,
    kms,
    probing,
    processes,
    release,
    services,
    settings,
    topics,
)
from sixgate.cli.agents import access
from sixgate.cli.agents import command as agents
from sixgate.cli.attest import command as attest
from sixgate.cli.config_option import Config, offer_config, use_config
from sixgate.cli.demo.command import demo
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import TRACEBACK_VARIABLE, failure_of
from sixgate.cli.intents import command as intents
from sixgate.cli.intents import submit
from sixgate.cli.interrupts import raise_again
from sixgate.cli.keys import command as keys
from sixgate.cli.ledger import command as ledger
from sixgate.cli.options import DATA_DEFAULT, DATA_VARIABLE
from sixgate.cli.secrets import cmek
from sixgate.cli.secrets import command as secrets
from sixgate.cli.signing import messages, transactions
from sixgate.cli.terminal import notices, safe, screen
from sixgate.cli.vaults import command as vaults
from sixgate.interpreter import tune

app = typer.Typer(
    name="sixgate",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Try it: sixgate demo\n\nBegin: sixgate init --org acme && sixgate agents add --help",
)
app.command(epilog="Example: sixgate demo --data ./demo")(demo)
app.command(epilog="Example: sixgate init --org acme --data ./acme")(folders.init)
app.command(epilog="Example: sixgate up --data ./acme")(folders.up)
app.add_typer(agents.app, name="agents")
app.add_typer(access.app, name="access")
app.add_typer(keys.app, name="keys")
app.add_typer(vaults.app, name="vaults")
app.add_typer(secrets.app, name="secrets")
app.add_typer(cmek.app, name="cmek")
app.add_typer(kms.app, name="kms")
app.command(
    epilog="Examples: sixgate submit intents.jsonl --save sent.jsonl\n\n"
    """echo '{"agent": "payroll", "chain": "base", "to": "0x…", "value": "0.5"}' """
    "| sixgate submit -"
)(submit.submit)
app.add_typer(transactions.app, name="tx")
app.add_typer(messages.message, name="message")
app.add_typer(messages.typed_data, name="typed-data")
app.add_typer(messages.authorization, name="authorization")
app.add_typer(intents.app, name="intents")
app.command(epilog="Example: sixgate signed --follow --json")(intents.signed)
app.add_typer(ledger.app, name="ledger")
app.add_typer(attest.app, name="attest")
app.add_typer(chains.app, name="chains")
app.add_typer(settings.app, name="settings")
app.add_typer(services.app, name="services")
app.command(epilog="Example: sixgate gates --config sixgate.toml")(processes.gates)
app.command(epilog="Example: sixgate signer --config sixgate.toml --slots 0-3")(processes.signer)
app.command(epilog="Example: sixgate registrar --config sixgate.toml")(processes.registrar)
app.command(epilog="Example: sixgate custody --config custody.toml")(processes.custody)
app.add_typer(release.app, name="release")
app.command(epilog="Example: sixgate probe --url http://127.0.0.1:9101 --pid 4711")(probing.probe)
app.command(epilog="Example: sixgate config --config sixgate.toml")(processes.config)
app.command(epilog="Example: sixgate publish --config sixgate.toml")(processes.publish)
app.add_typer(topics.app, name="topics")
offer_config(app, but=folders.init)


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's own signature
    if wanted:
        screen().print(f"sixgate {version('sixgate')}", highlight=False)
        raise typer.Exit


@app.callback()
def root(
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help=f"The data folder; or {DATA_VARIABLE}; else ./{DATA_DEFAULT}.",
        ),
    ] = None,
    config: Config = None,
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_tell_version, help="Print the version."),
    ] = False,
) -> None:
    """Sign blockchain transactions for software agents that never hold a key."""
    if data is not None:
        os.environ[DATA_VARIABLE] = str(data)  # where each command's own --data looks
    use_config(config)


def main() -> NoReturn:
    """Run the command line and exit; every failure is one sentence and a code of its own."""
    _mend_streams()
    tune()
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # the sentence says it
    forbid_core_files()
    try:
        raise_again()
        code = _run()
    except BaseException as error:  # noqa: BLE001 - the end of the process: told, then exited
        _exit_quietly(_tell(error))
    _exit_quietly(code)


def _run() -> int:
    try:
        app(prog_name="sixgate")
    except SystemExit as ended:
        if ended.code == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt from None
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return ExitCode.OK


def _tell(error: BaseException) -> int:
    if os.environ.get(TRACEBACK_VARIABLE):
        sys.excepthook(type(error), error, error.__traceback__)
    failure = failure_of(error)
    if failure.sentence:
        told = safe("Error: ", "bold red").append(safe(failure.sentence, "default not bold"))
        notices().print(told, soft_wrap=True)
    return failure.code


def _mend_streams() -> None:
    """Give closed standard streams a harmless file, and let no character be unprintable."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - lives as long as the process
        getattr(sys, name).reconfigure(errors="replace")


def _exit_quietly(code: int) -> NoReturn:
    """Exit without a last flush to a reader that went away."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)
