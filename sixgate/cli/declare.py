"""Declares commands: groups, arguments with help, and options that arrive as one dictionary."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial, wraps
from typing import Any, TypeAlias

import click

Function: TypeAlias = Callable[..., Any]


class Argument(click.Argument):
    """An argument with a description, which click's own arguments lack."""

    def __init__(self, flags: Sequence[str], *, help: str, **attributes: Any) -> None:  # noqa: A002 - as for options
        super().__init__(flags, **attributes)
        self.help = help


class Command(click.Command):
    """A command whose help describes its arguments and shows its examples as they are written."""

    def __init__(self, name: str | None, **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self.short_help = (self.help or "").partition("\n\n")[0].replace("\n", " ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for the arguments before the options."""
        found = [one for one in self.params if isinstance(one, Argument)]
        if found:
            with formatter.section("Arguments"):
                formatter.write_dl([(one.make_metavar(ctx), one.help) for one in found])
        super().format_options(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's own signature
        """Write the examples without line breaks, so that they can be copied."""
        for line in (self.epilog or "").split("\n\n"):
            formatter.write(f"\n  {line}\n")


class Group(Command, click.Group):
    """A group of commands that suggests the nearest name for an unknown one."""

    command_class = Command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command that ``args`` name; suggest others for an unknown name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = ", ".join(map(repr, get_close_matches(args[0], self.list_commands(ctx))))
            if near:
                error.message = f"{error.message.rstrip('.')}. Did you mean {near}?"
            raise


command = partial(click.command, cls=Command)
argument = partial(click.argument, cls=Argument)


def group(help: str, epilog: str) -> Group:  # noqa: A002 - as for commands
    """Return a group without commands."""
    return Group(None, help=help, epilog=epilog)


def option(*flags: str, **attributes: Any) -> "partial[Any]":
    """Declare an option for ``gathered``; its name follows."""
    return partial(click.option, *flags, **attributes)


def gathered(into: str, options: "dict[str, partial[Any]]") -> Callable[[Function], Function]:
    """Add options to a command, which gets those that were given as the dictionary ``into``."""

    def decorate(function: Function) -> Function:
        @wraps(function)
        def wrapped(*args: Any, **values: Any) -> Any:
            named = {name: _plain(values.pop(name)) for name in options}
            given = {name: value for name, value in named.items() if value not in (None, [])}
            return function(*args, **values, **{into: given})

        for name, declared in reversed(options.items()):
            wrapped = declared(name)(wrapped)
        return wrapped

    return decorate


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
