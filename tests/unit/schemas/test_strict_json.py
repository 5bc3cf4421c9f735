import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.strict_json import JsonWrong, read_json

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_every_reader_reads_alike_is_read(value: object) -> None:
    text = json.dumps(value, allow_nan=False)
    assert read_json(text.encode()) == json.loads(text)


@given(name=st.text(max_size=8), first=st.integers(), second=st.integers(), deep=st.booleans())
def test_a_name_that_occurs_twice_is_refused_at_any_depth(
    name: str, first: int, second: int, *, deep: bool
) -> None:
    twice = f"{{{json.dumps(name)}: {first}, {json.dumps(name)}: {second}}}"
    with pytest.raises(JsonWrong, match="occurs twice"):
        read_json((f"[{{}}, {twice}]" if deep else twice).encode())


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b'{"a": 1, "a": 2}', ("a",)),
        (b'{"a": [0, {"b": {}, "c": {"d": 1, "e": 2, "d": 3}}]}', ("a", 1, "c", "d")),
        (b'{"a": {"b": {"x": 1, "x": 2}, "b": 0}}', ("a", "b")),
        (b'[{"x": 1, "x": 1}, {"y": 1, "y": 1}]', (1, "y")),
    ],
)
def test_a_name_that_occurs_twice_is_found_where_it_stands(
    raw: bytes, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(JsonWrong) as caught:
        read_json(raw)
    assert caught.value.repeated == path


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"\xff", "not JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": -Infinity}', "not JSON"),
        (b'{"a": 1e999}', "not JSON"),
        (b'"\\ud800"', "surrogate"),
        (b"9" * 5_000, "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b'{"\\u0430": 1, "\xd0\xb0": 2}', "occurs twice"),
    ],
)
def test_what_is_no_json_says_why(raw: bytes, why: str) -> None:
    with pytest.raises(JsonWrong, match=why):
        read_json(raw)


def test_the_message_never_repeats_what_a_terminal_could_obey() -> None:
    with pytest.raises(JsonWrong) as caught:
        read_json(b'{"\\u001b[2J": 1, "\\u001b[2J": 2}')
    assert str(caught.value).isprintable()
