"""Declares commands: groups, arguments with help, and options that arrive as one dictionary."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial, wraps
from typing import Any, TypeAlias

import click

from sixgate.cli.commands import COMMANDS

Function: TypeAlias = Callable[..., Any]
Decorator: TypeAlias = Callable[[Function], Function]


class Argument(click.Argument):
    """An argument with a description, which click's own arguments lack."""

    def __init__(self, flags: Sequence[str], *, help: str, **attributes: Any) -> None:  # noqa: A002 - as for options
        super().__init__(flags, **attributes)
        self.help = help


class Command(click.Command):
    """A command whose help describes its arguments and shows its examples as they are written.

    ``example`` has one example per line, without the words that name the command: an empty line is
    the command alone.
    """

    def __init__(self, name: str | None, example: str | None = None, **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self.example = example
        self.short_help = " ".join((self.help or "").partition("\n\n")[0].split())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for the arguments before the options."""
        found = [one for one in self.params if isinstance(one, Argument)]
        if found:
            with formatter.section("Arguments"):
                formatter.write_dl([(one.make_metavar(ctx), one.help) for one in found])
        super().format_options(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each example on a line of its own, so that it can be copied."""
        for line in self.examples(ctx.command_path):
            formatter.write(f"\n  {line}\n")

    def examples(self, path: str) -> list[str]:
        """Return the examples of a command that ``path`` names; one with a pipe is whole."""
        if self.example is None:
            return (self.epilog or "").splitlines()
        given = self.example.split("\n")
        first, *more = (one if " | " in one else f"{path} {one}".rstrip() for one in given)
        return [f"Example{'s' if more else ''}: {first}", *more]


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


def group(name: str, example: str) -> Group:
    """Return a group of the table, without commands."""
    return Group(name, example, help=COMMANDS[name].help)


def argument(shown: str, help: str, name: str = "", **attributes: Any) -> Decorator:  # noqa: A002 - as for options
    """Declare an argument: ``argument("AGENT", "Name of the agent.")``; ``[AGENT]`` is optional."""
    known = {"metavar": shown, "required": not shown.startswith("["), "help": help} | attributes
    return click.argument(name or shown.strip("[]").lower(), cls=Argument, **known)


class Option:
    """Declares an option, for one command or for ``gathered``: ``Option("--rate N", "Rate.")``.

    The word after the flag names the value. A pair ``--a/--b`` is None if neither is given.
    """

    def __init__(self, flag: str, help: str, name: str = "", **attributes: Any) -> None:  # noqa: A002 - as click names it
        self.flag, _, shown = flag.partition(" ")
        self.name = name or self.flag.partition("/")[0].strip("-").replace("-", "_")
        self.attributes = {
            "help": help,
            "metavar": shown or None,
            "show_envvar": "envvar" in attributes,
        } | attributes
        if "/" in flag:
            self.attributes.setdefault("default", None)

    def __call__(self, function: Function) -> Function:
        """Add the option to a command."""
        return click.option(self.flag, self.name, **self.attributes)(function)


flag = partial(Option, is_flag=True)
"""Declare an option without a value."""


def gathered(into: str, *options: Option) -> Decorator:
    """Add options to a command, which gets those that were given as the dictionary ``into``."""

    def decorate(function: Function) -> Function:
        @wraps(function)
        def wrapped(*args: Any, **values: Any) -> Any:
            named = {one.name: _plain(values.pop(one.name)) for one in options}
            given = {name: value for name, value in named.items() if value not in (None, [])}
            return function(*args, **values, **{into: given})

        made: Function = wrapped
        for one in reversed(options):
            made = one(made)
        return made

    return decorate


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
