import io
from collections.abc import Iterator, Sequence

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sixgate.cli.declare import command
from sixgate.cli.outcomes import transfer
from sixgate.cli.render import (
    Answer,
    Field,
    Listing,
    Row,
    Sheet,
    prints,
    prints_lines,
    sheet,
    show,
    table,
)

HASH = "0x" + "ab" * 32
WORDS = st.text(alphabet="abcdefghij-0123456789", min_size=1, max_size=70)


def shown(view: Listing | Sheet, width: int = 80) -> str:
    screen = io.StringIO()
    show(view, Console(file=screen, width=width))
    return screen.getvalue()


@given(
    st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4),
    st.lists(WORDS, max_size=9),
    st.integers(20, 120),
)
def test_no_word_is_ever_split(
    cells: Sequence[tuple[str, str]], words: Sequence[str], width: int
) -> None:
    found = Listing(("code", "hash"), [Row(pair, (" ".join(words),)) for pair in cells])
    sheet = Sheet("", [*cells, ("why", " ".join(words))])
    for view in (found, sheet):
        there = shown(view, width).split()
        assert {*words, *(value for _, value in cells)} <= set(there)


def test_details_follow_their_row_and_fit() -> None:
    listing = Listing(("id", "outcome"), [Row((HASH, "signed"), ("one " * 30,)), Row(("b", "c"))])
    lines = shown(listing).splitlines()
    assert [line.split()[0] for line in lines] == ["id", lines[1], HASH, "one", "one", "b"]
    assert max(map(len, lines)) <= 80


def test_numbers_are_right_aligned() -> None:
    listing = Listing(("gas",), [Row(("21,000",)), Row(("400,000,000",))], right=("gas",))
    assert shown(listing).splitlines()[2:] == ["     21,000", "400,000,000"]


def test_an_empty_listing_shows_its_headings() -> None:
    assert shown(Listing(("intent", "outcome"), [])).splitlines()[0] == "intent  outcome"


def test_hostile_text_stays_in_its_line() -> None:
    hostile = "\x1b[2J[bold]paid[/]\nsigned"
    for view in (Listing(("a",), [Row((hostile,), (hostile,))]), Sheet(hostile, [("a", hostile)])):
        text = shown(view)
        assert "\x1b" not in text
        assert "[bold]paid[/] signed" in text


def test_an_unknown_chain_has_no_unit() -> None:
    assert transfer(5, None, 10**18, "0x", {}) == "1 → new contract on chain 5"


def test_a_field_takes_its_value_by_its_label_a_key_or_a_function() -> None:
    view = table(
        Field("agent"),
        Field("limit", "limit_wei", right=True),
        Field("active", lambda row: "yes" if row["active"] else "no"),
        details=lambda row: [f"of {row['account']}"],
    )
    rows = [{"agent": "payroll", "limit_wei": 5, "active": True, "account": "treasury"}]
    assert [line.split() for line in shown(view(rows)).splitlines() if "─" not in line] == [
        ["agent", "limit", "active"], ["payroll", "5", "yes"], ["of", "treasury"],
    ]  # fmt: skip


def test_a_sheet_takes_lines_from_fields_and_functions() -> None:
    view = sheet(Field("agent"), lambda found: [(f"key {path}", "0x") for path in found["keys"]])
    lines = shown(view({"agent": "payroll", "keys": ["a", "b"]})).splitlines()
    assert [line.split() for line in lines] == [
        ["agent", "payroll"],
        ["key", "a", "0x"],
        ["key", "b", "0x"],
    ]


def test_a_result_is_printed_as_json_or_through_its_view_and_sets_the_exit_code() -> None:
    @command()
    @prints(lambda found, unit: f"{found['left']} {unit}")
    def left() -> Answer:
        return Answer({"left": 5}, code=3, unit="wei")

    for words, out in (([], "5 wei\n"), (["--json"], '{\n  "left": 5\n}\n')):
        ended = CliRunner().invoke(left, words)
        assert (ended.exit_code, ended.output) == (3, out)


def test_items_are_printed_when_they_arrive_and_the_generator_is_closed() -> None:
    events: list[str] = []

    @command()
    @prints_lines(lambda item: f"item {item}")
    def follow() -> Iterator[int]:
        try:
            yield 1
            events.append("first printed")
            yield 2
        finally:
            events.append("closed")

    assert CliRunner().invoke(follow, ["--json"]).output == "1\n2\n"
    assert events == ["first printed", "closed"]
