"""Strict JSON parsing of human-written documents: one unambiguous meaning, or an error."""

import json
from collections import Counter
from typing import Any, TypeAlias

import orjson

Step: TypeAlias = str | int
Path: TypeAlias = tuple[Step, ...]
_Link: TypeAlias = "tuple[_Link, Step] | None"


class JsonError(ValueError):
    """The text is not JSON, or its meaning would depend on the parser.

    ``repeated`` is the path of members and indices to a name that occurs twice, else None.
    """

    def __init__(self, why: str, repeated: Path | None = None) -> None:
        super().__init__(why)
        self.repeated = repeated


def read_json(raw: bytes | str) -> Any:
    """Parse UTF-8 JSON; raise ``JsonError``. Floats stay floats, so that a field can reject them.

    1. orjson rejects invalid JSON: NaN, lone surrogates, too deep nesting, infinite numbers.
    2. If the tree re-encodes to the same bytes, as with JSON that programs wrote, no name occurs
       twice, because orjson keeps only one value per name.
    3. Otherwise the standard library parses the text again and rejects a name that occurs twice;
       only its parser reports the members of an object one by one.
    """
    try:
        # 1.
        tree = orjson.loads(raw)
        body = raw.encode() if isinstance(raw, str) else raw
        # 2. and 3.
        return tree if _reencoded(tree) == body else _DECODER.decode(body.decode())
    except orjson.JSONDecodeError as error:
        raise JsonError(f"is not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise JsonError("is not usable JSON: it is nested too deeply") from None
    except _RepeatedNameError:
        raise _repetition(body.decode()) from None


def _reencoded(tree: Any) -> bytes | None:
    try:
        return orjson.dumps(tree)
    except orjson.JSONEncodeError:  # nested deeper than orjson encodes
        return None


class _RepeatedNameError(Exception):
    pass


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RepeatedNameError
    return members


# Created once: that takes as long as parsing a small document.
_DECODER = json.JSONDecoder(object_pairs_hook=_members)


class _Repeated:
    """Placeholder in a tree for an object in which a name occurs twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        counts = Counter(name for name, _ in pairs)
        self.name = next(name for name, count in counts.items() if count > 1)


def _repetition(text: str) -> JsonError:
    """Return the error with the path of a name that occurs twice.

    The last object found is not inside another one with a repeated name: the parser completes an
    object after all objects in it.
    """
    found: list[_Repeated] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Repeated:
        unique = dict(pairs)
        if len(unique) == len(pairs):
            return unique
        found.append(_Repeated(pairs))
        return found[-1]

    tree = json.loads(text, object_pairs_hook=members)
    why = f"is ambiguous: {found[-1].name!a} occurs twice in one object"
    return JsonError(why, (*_path_to(found[-1], tree), found[-1].name))


def _path_to(wanted: object, tree: Any) -> Path:
    """Return the path of an object in a tree; links to parents save a path for every node."""
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
