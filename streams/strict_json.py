"""JSON that people wrote, read without the lenience of JSON readers: one meaning or an error."""

import json
from typing import Any

import orjson


class JsonWrong(ValueError):  # noqa: N818 - says what the input is
    """Text that is not JSON, or whose meaning would depend on the reader."""


def read_json(raw: bytes) -> Any:
    """Parse UTF-8 JSON; floats stay floats, for the field's own message.

    1. orjson refuses what is no JSON: NaN, lone surrogates, endless nesting, infinite numbers.
    2. The standard library, which alone shows the members of an object one by one, parses what is
    left and refuses a name that occurs twice. Raises ``JsonWrong``.
    """
    try:
        orjson.loads(raw)
        return json.loads(raw, object_pairs_hook=_without_duplicates)
    except orjson.JSONDecodeError as error:
        raise JsonWrong(f"is not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise JsonWrong("is not JSON that anybody writes: it is nested too deeply") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that occurs twice: JSON readers would silently keep one of the two values."""
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise JsonWrong(f"is ambiguous: {twice!a} occurs twice in one object")
    return members
