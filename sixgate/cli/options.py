"""Options, arguments and types of values that several commands share."""

import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sixgate.cli.declare import Option, argument, flag
from sixgate.clocks import wall_ms

if TYPE_CHECKING:
    from sixgate.config.process_settings import Settings

ACCOUNT_DEFAULT = "main"
DATA_DEFAULT = Path("sixgate-data")
DATA_VARIABLE = "SIXGATE_DATA"
CONFIG_VARIABLE = "SIXGATE_CONFIG"
_SPAN = re.compile(r"([1-9][0-9]{0,5})([smhd])", re.ASCII)
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Checked(click.ParamType):
    """A type whose values a function parses; its ``ValueError`` becomes the option's error."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse a value; fail in the name of its option."""
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def one_of(what: str, names: Sequence[str]) -> Checked:
    """Return the type of a value that is one of some names; ``what`` says what they are."""
    known = ", ".join(names)

    def parse(value: str) -> str:
        if value in names:
            return value
        raise ValueError(f"{value!a} is not a {what}: choose one of {known}")

    return Checked(what, parse)


def quoted(read: Callable[[str], Any], value: str) -> str:
    """Return what ``read`` makes of a value; its ``ValueError`` begins with the value."""
    try:
        return str(read(value))
    except ValueError as error:
        raise ValueError(f"{value!a} {error}") from None


def _name(value: str) -> str:
    from sixgate.authoring import form_fields  # slow, as the other imports in functions here

    return quoted(form_fields.name, value)


def _key_path(value: str) -> str:
    from sixgate.authoring import form_fields
    from sixgate.authoring.key_text import ON_THE_COMMAND_LINE, looks_like_a_key

    try:
        return quoted(form_fields.key_path, value)
    except ValueError:
        if looks_like_a_key(str(value)):  # never print a private key
            raise ValueError(f"it {ON_THE_COMMAND_LINE}") from None
        raise


def parse_duration_ms(text: str) -> int:
    """Parse ``90s``, ``10m``, ``24h`` or ``30d``; raise ``ValueError`` for anything else."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!a} is not a duration such as 10m, 24h or 30d")
    return int(found[1]) * _UNIT_MS[found[2]]


def parse_time_ms(text: str, now_ms: int) -> int:
    """Parse a time: ``now``, a duration ago, or an ISO 8601 date or time (by default in UTC).

    Raises ``ValueError``.
    """
    if text == "now":
        return now_ms
    if _SPAN.fullmatch(text):
        return max(0, now_ms - parse_duration_ms(text))
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!a} is not a time: write 7d (ago), 2026-01-31 or 2026-01-31T12:00:00+00:00"
        ) from None
    known = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return max(0, round(known.timestamp() * 1000))


def config_file() -> Path | None:
    """Return the settings file, if one was given."""
    name = os.environ.get(CONFIG_VARIABLE)
    return Path(name) if name else None


def process_settings() -> "Settings":
    """Return the settings of the processes on Kafka."""
    from sixgate.config.process_settings import load_settings

    return load_settings(config_file())


def _sets(variable: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Return a callback that sets a variable of the settings to the value of an option."""

    def callback(_ctx: click.Context, _param: click.Parameter, value: Any) -> None:
        if value:
            os.environ[variable] = "true" if value is True else str(value)

    return callback


NAME = Checked("name", _name)
KEY_PATH = Checked("path", _key_path)
TIME = Checked("time", lambda text: parse_time_ms(text, wall_ms()))
"""Milliseconds since 1970: ``now``, a duration ago, or an ISO 8601 date or time."""
FILE = click.Path(path_type=Path)
FILE_OR_INPUT = click.Path(path_type=Path, allow_dash=True)
"""A file, or - for standard input."""


def folder_option(flag: str, name: str) -> Option:
    """Declare the option for the data folder."""
    more = {"type": FILE, "default": DATA_DEFAULT, "envvar": DATA_VARIABLE}
    text = "Data folder." if flag == "--data" else "Data folder (--data of other commands)."
    return Option(f"{flag} DIR", text, name=name, **more)


data_option = folder_option("--data", "data")
config_option = Option(
    "--config FILE",
    "Settings file (TOML): connect to Kafka, or use its KMSs.",
    type=FILE,
    expose_value=False,
    callback=_sets(CONFIG_VARIABLE),
    show_default=CONFIG_VARIABLE,
)
"""Takes effect before the command runs; ``config_file()`` returns the file."""
insecure_dev = flag(
    "--insecure-dev",
    "Allow missing TLS, and topics and rights that are weaker than declared.",
    expose_value=False,
    callback=_sets("SIXGATE_KAFKA__INSECURE_DEV"),
)
agent_argument = argument("AGENT", "Name of the agent.", name="name", type=NAME)
chain_argument = argument("CHAIN", "Name, alias or id of a chain.")
agent_filter = Option("--agent", "Show only this agent.", type=NAME)
account_filter = Option("--account", "Show only this account.", type=NAME)
