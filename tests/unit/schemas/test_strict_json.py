import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.strict_json import JsonError, read_json

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


spaced, compact = (", ", ": "), (",", ":")


@given(value=values, separators=st.sampled_from([spaced, compact]), escaped=st.booleans())
def test_unambiguous_json_is_parsed(
    value: object, separators: tuple[str, str], *, escaped: bool
) -> None:
    text = json.dumps(value, allow_nan=False, separators=separators, ensure_ascii=escaped)
    assert repr(read_json(text.encode())) == repr(json.loads(text))


@pytest.mark.parametrize(
    "number", ["0", "-0", "-0.0", "1e5", "1E5", "1.0", f"{2**64}", f"{2**300}"]
)
def test_numbers_parse_as_in_the_standard_library(number: str) -> None:
    assert repr(read_json(number)) == repr(json.loads(number))


def test_deep_nesting_parses_as_in_the_standard_library() -> None:
    deep = "[" * 900 + "]" * 900
    assert read_json(deep) == json.loads(deep)


@given(
    name=st.text(max_size=8),
    first=st.integers(),
    second=st.integers(),
    separators=st.sampled_from([spaced, compact]),
    deep=st.booleans(),
)
def test_a_repeated_name_is_rejected_at_any_depth(
    name: str, first: int, second: int, separators: tuple[str, str], *, deep: bool
) -> None:
    between, colon = separators
    quoted = json.dumps(name, ensure_ascii=False)
    twice = f"{{{quoted}{colon}{first}{between}{quoted}{colon}{second}}}"
    with pytest.raises(JsonError, match="occurs twice"):
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
def test_a_repeated_name_is_located(raw: bytes, path: tuple[str | int, ...]) -> None:
    with pytest.raises(JsonError) as caught:
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
def test_invalid_json_is_rejected_with_the_cause(raw: bytes, why: str) -> None:
    with pytest.raises(JsonError, match=why):
        read_json(raw)


def test_the_message_never_repeats_control_characters() -> None:
    with pytest.raises(JsonError) as caught:
        read_json(b'{"\\u001b[2J": 1, "\\u001b[2J": 2}')
    assert str(caught.value).isprintable()
