import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sixgate.cli.render import Field, show, table
from sixgate.cli.terminal import safe


@given(st.text())
def test_text_from_the_bus_cannot_command_the_terminal(text: str) -> None:
    assert safe(text).plain.isprintable()


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126)))
def test_text_from_the_bus_is_not_markup(text: str) -> None:
    assert safe(text).plain == text


def test_a_revert_reason_with_escapes_stays_in_its_cell() -> None:
    screen = io.StringIO()
    hostile = "\x1b[2J\x1b]0;owned\x07[bold red]paid[/]\nsigned"
    show(table(Field("reason"))([{"reason": hostile}]), Console(file=screen, width=200))
    shown = screen.getvalue()
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\\u001b[2J\\u001b]0;owned\\u0007[bold red]paid[/] signed" in shown
