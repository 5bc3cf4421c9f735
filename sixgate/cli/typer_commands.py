"""Commands that still use Typer: adapts them to the groups of click, which Typer copies."""

from typing import Any

import click
import typer
from typer.main import get_group

from sixgate.cli.typer_config import add_config_option

WITHOUT_CONFIG = {"init"}


class TyperBridge(click.Command):
    """A click command that passes its whole command line to Typer."""

    def __init__(self, name: str, bridged: Any) -> None:
        super().__init__(name, help=bridged.help, epilog=bridged.epilog, add_help_option=False)
        self.bridged = bridged
        self.params = bridged.params
        if hasattr(bridged, "commands"):
            self.commands = bridged.commands

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave the command line to Typer."""
        ctx.args = args
        return args

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; ends with ``SystemExit``."""
        self.bridged.main(args=ctx.args, prog_name=ctx.command_path)


def bridge(name: str, part: Any, epilog: str | None) -> TyperBridge:
    """Return a Typer app or function as a click command."""
    alone = typer.Typer()
    if isinstance(part, typer.Typer):
        alone.add_typer(part, name=name)
    else:
        alone.command(name, epilog=epilog)(part)
    if name not in WITHOUT_CONFIG:
        add_config_option(alone)
    return TyperBridge(name, get_group(alone).commands[name])
