"""Options that arrive as one dictionary, arguments with help, examples and suggestions."""

from typing import Any

import pytest
from click.testing import CliRunner

from sixgate.cli.declare import Option, argument, command, gathered, group
from sixgate.cli.options import KEY_PATH, NAME

KEY = "0x" + "4c" * 32
details = gathered(
    "details",
    Option("--max-fee WEI", "Maximum fee.", name="max_fee_wei", type=int),
    Option("--alias", "Alias.", name="aliases", multiple=True, type=NAME),
    Option("--testnet/--mainnet", "Kind."),
)


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ([], {}),
        (["--max-fee", "0", "--mainnet"], {"max_fee_wei": 0, "testnet": False}),
        (["--alias", "a", "--alias", "b"], {"aliases": ["a", "b"]}),
    ],
)
def test_a_command_gets_only_the_options_that_were_given(
    words: list[str], given: dict[str, Any]
) -> None:
    seen = []

    @command("add")
    @argument("NAME", "Name.")
    @details
    def add(name: str, details: dict[str, Any]) -> None:
        seen.append((name, details))

    assert CliRunner().invoke(add, ["base", *words]).exit_code == 0
    assert seen == [("base", given)]


@command("show", example="long " * 40 + "end\nvault read | sixgate show -")
@argument("AGENT", "Name of the agent.", name="name", type=NAME)
@Option("--key", "Path of the key.", type=KEY_PATH)
def show(**_: object) -> None:
    """Show an agent."""


def test_help_describes_arguments_and_keeps_examples_on_one_line() -> None:
    text = CliRunner().invoke(show, ["--help"]).output
    assert "AGENT  Name of the agent." in text
    first, second = [line for line in text.splitlines() if line][-2:]
    assert first.startswith("  Examples: show long long")
    assert first.endswith("long end")
    assert second == "  vault read | sixgate show -"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["Bad Name"], "Invalid value for 'AGENT': 'Bad Name' "),
        (["payroll", "--key", "../x"], "Invalid value for '--key': '../x' "),
    ],
)
def test_an_invalid_value_is_reported_with_its_option(words: list[str], error: str) -> None:
    ended = CliRunner().invoke(show, words)
    assert ended.exit_code == 2
    assert error in ended.output


def test_a_private_key_in_place_of_a_path_is_not_repeated() -> None:
    ended = CliRunner().invoke(show, ["payroll", "--key", KEY])
    assert ended.exit_code == 2
    assert KEY[2:] not in ended.output


def test_an_unknown_command_suggests_the_nearest_one() -> None:
    agents = group("agents", example="list")
    agents.add_command(show, "show")
    assert (
        "No such command 'shaw'. Did you mean 'show'?"
        in CliRunner().invoke(agents, ["shaw"]).output
    )
