"""Commands, options and variables that pages and sentences mention exist."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from sixgate.cli.app import app
from sixgate.config.process_settings import Settings
from sixgate.services.embedded.http_api import EmbeddedApiSettings
from tests.harness.builders.pages import PAGES, ROOT

LINE = re.compile(r"\bsixgate ((?:[a-z][a-z-]+ ?)+)([^`|\n]*)")
NAMED = re.compile(r"`sixgate ([a-z][a-z-]+)")
INNER = re.compile(r"\$\([^)]*\)")  # another program's command within
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
VARIABLE = re.compile(r"\bSIXGATE_[A-Z]+(?:_{1,2}[A-Z]+)*\b")
READ = re.compile(r'^[A-Z_]+_VARIABLE = "(SIXGATE_\w+)"', re.MULTILINE)
SOURCES = [
    path for folder in ("signer", "streams", "sixgate") for path in (ROOT / folder).rglob("*.py")
]


def options(command: object, words: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Yield every command with its options."""
    params = getattr(command, "params", ())
    yield " ".join(words), {name for one in params for name in (*one.opts, *one.secondary_opts)}
    for name, inner in getattr(command, "commands", {}).items():
        yield from options(inner, (*words, name))


def variables(section: type[BaseModel], prefix: str = "SIXGATE_") -> Iterator[str]:
    """Yield the variable of every setting that is no section."""
    for name, field in section.model_fields.items():
        variable, kinds = prefix + name.upper(), (field.annotation, *get_args(field.annotation))
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        yield from variables(inner[0], f"{variable}__") if inner else (variable,)


COMMANDS = dict(options(app))
# The last one is a placeholder for all of them.
KNOWN = {*variables(Settings), *variables(EmbeddedApiSettings), "SIXGATE_SECTION__NAME"}


def command_in(words: str) -> str | None:
    """Return the longest beginning of these words that is a command."""
    split = words.split()
    return next(
        (c for n in range(len(split), 0, -1) if (c := " ".join(split[:n])) in COMMANDS), None
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_option_on_a_page_exists(page: Path) -> None:
    text = page.read_text()
    assert [one for one in NAMED.findall(text) if command_in(one) is None] == []
    for words, rest in LINE.findall(text):
        if command := command_in(words):
            named = OPTION.findall(INNER.sub("", rest))
            assert set(named) <= COMMANDS[command], (words, rest)


def test_every_variable_in_a_sentence_is_read() -> None:
    texts = [path.read_text() for path in SOURCES]
    read = {one for text in texts for one in READ.findall(text)}
    mentioned = {one for text in texts for one in VARIABLE.findall(text)}
    assert mentioned - KNOWN - read == set()
