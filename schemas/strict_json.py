"""JSON that people wrote, read without the lenience of JSON readers: one meaning or an error."""

import json
from collections import Counter
from typing import Any, TypeAlias

import orjson

Step: TypeAlias = str | int
Path: TypeAlias = tuple[Step, ...]
_Link: TypeAlias = "tuple[_Link, Step] | None"


class JsonError(ValueError):
    """Text that is not JSON, or whose meaning would depend on the reader.

    ``repeated`` is the path of members and indices to the name that occurs twice, else None.
    """

    def __init__(self, why: str, repeated: Path | None = None) -> None:
        super().__init__(why)
        self.repeated = repeated


def read_json(raw: bytes | str) -> Any:
    """Parse UTF-8 JSON; floats stay floats, for the field's own message.

    1. orjson refuses what is no JSON: NaN, lone surrogates, endless nesting, infinite numbers.
    2. What it writes back byte for byte, as programs write JSON, had no name twice: it keeps one.
    3. The standard library, which alone shows the members of an object one by one, parses what is
    left and refuses a name that occurs twice. Raises ``JsonError``.
    """
    try:
        tree = orjson.loads(raw)
        body = raw.encode() if isinstance(raw, str) else raw
        return tree if _written_back(tree) == body else _DECODER.decode(body.decode())
    except orjson.JSONDecodeError as error:
        raise JsonError(f"is not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise JsonError("is not JSON that anybody writes: it is nested too deeply") from None
    except _RepeatedNameError:
        raise _repetition(body.decode()) from None


def _written_back(tree: Any) -> bytes | None:
    try:
        return orjson.dumps(tree)
    except orjson.JSONEncodeError:  # nested deeper than it writes
        return None


class _RepeatedNameError(Exception):
    pass


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RepeatedNameError
    return members


# Made once: making it takes as long as reading a small document.
_DECODER = json.JSONDecoder(object_pairs_hook=_members)


class _Repeated:
    """Stands in a tree for an object in which a name occurs twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        counts = Counter(name for name, _ in pairs)
        self.name = next(name for name, count in counts.items() if count > 1)


def _repetition(text: str) -> JsonError:
    """Find out where in a text a name occurs twice: JSON readers would keep one of the values.

    The last object with a repeated name is not inside another: it is complete only after all in
    it.
    """
    found: list[_Repeated] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Repeated:
        kept = dict(pairs)
        if len(kept) == len(pairs):
            return kept
        found.append(_Repeated(pairs))
        return found[-1]

    tree = json.loads(text, object_pairs_hook=members)
    why = f"is ambiguous: {found[-1].name!a} occurs twice in one object"
    return JsonError(why, (*_path_to(found[-1], tree), found[-1].name))


def _path_to(wanted: object, tree: Any) -> Path:
    """Return where in a tree an object stands; links, as paths of all nodes would be too many."""
    pending: list[tuple[_Link, Any]] = [(None, tree)]
    while pending:
        link, value = pending.pop()
        if value is wanted:
            return _steps(link)
        steps: Any = ()
        if isinstance(value, dict):
            steps = value.items()
        elif isinstance(value, list):
            steps = enumerate(value)
        pending += (((link, step), inner) for step, inner in steps)
    return ()


def _steps(link: _Link) -> Path:
    steps: list[Step] = []
    while link is not None:
        link, step = link
        steps.append(step)
    return tuple(reversed(steps))
