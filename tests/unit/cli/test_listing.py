import io
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sixgate.cli.intents.intent_summary import transfer
from sixgate.cli.listing import Listing, Row, Sheet, show

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
