"""Hypothesis strategies for every canonical model, derived from the models."""

import base64
import importlib
import pkgutil
import re
import types
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from pydantic import AfterValidator, BeforeValidator, PlainValidator, ValidationError
from pydantic.fields import FieldInfo

import schemas
import signer
from schemas.canonical import Canonical
from schemas.fields import UINT256_MAX
from schemas.intents.money import wei_to_eth
from signer.attestation.verify.binding import Purpose
from signer.core.window import Window

Strategy = st.SearchStrategy[Any]
INT_MAX = 2**53 - 1
ITEMS_MAX = 3
_HEX_OF_SIZE = re.compile(r"(?:\(\?:)?0x\[0-9a-f\]\{(\d+)\}\)?")

uint256 = st.integers(0, 256).flatmap(lambda bits: st.integers(0, 2**bits - 1))
windows = st.lists(
    st.tuples(st.integers(0, INT_MAX), st.integers(1, 64 * UINT256_MAX)),
    max_size=ITEMS_MAX,
    unique_by=lambda entry: entry[0],
).map(lambda entries: Window(tuple(sorted(entries))))

# Values that a validating function accepts, by the function's name.
_VALIDATED: dict[str, Strategy] = {
    "_uint256": uint256,
    "_wei_sum": uint256.map(lambda wei: 3 * wei),
    "_canonical_eth": uint256.map(wei_to_eth),
    "_strict_base64": st.binary(max_size=40).map(lambda raw: base64.b64encode(raw).decode()),
    "_decoded": windows,
}


def _one_floor_each(content: dict[str, Any]) -> dict[str, Any]:
    floors = {floor.generation: floor for floor in content["generations"]}
    return content | {"generations": tuple(floors.values())}


def _of_a_release(content: dict[str, Any]) -> dict[str, Any]:
    evidence = content["evidence"].model_copy(update={"purpose": Purpose.KEY_RELEASE})
    begins, ends = sorted((content["valid_from_ms"], content["valid_until_ms"]))
    return content | {"evidence": evidence, "valid_from_ms": begins, "valid_until_ms": ends}


# Models whose fields, drawn independently, would rarely form a valid value; by name.
_FITTED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "VerificationPolicy": _one_floor_each,
    "ReleasePolicy": _of_a_release,
}


def canonical_models() -> list[type[Canonical]]:
    """Return every concrete model of ``schemas`` and ``signer``, including future ones."""
    for package in (schemas, signer):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)
    found = sorted(set(_below(Canonical)), key=lambda model: model.__name__)
    return [model for model in found if not model.__subclasses__()]


@cache
def values_of(model: type[Canonical]) -> Strategy:
    """Draw values of a model."""
    hints = get_type_hints(model, include_extras=True)
    fields = {name: _field(hints[name], info) for name, info in model.model_fields.items()}
    contents = st.fixed_dictionaries(fields).map(_FITTED.get(model.__name__, dict))
    rules = model.__pydantic_decorators__
    if not (rules.model_validators or rules.field_validators):
        return contents.map(lambda content: model(**content))
    made = contents.map(lambda content: _made(model, content))
    return made.filter(lambda value: value is not None)


def _made(model: type[Canonical], content: dict[str, Any]) -> Canonical | None:
    """Return a value, or None if the fields are valid alone but not together."""
    try:
        return model(**content)
    except ValidationError:
        return None


def _below(model: type[Canonical]) -> Iterator[type[Canonical]]:
    for child in model.__subclasses__():
        if child.__module__.split(".")[0] in ("schemas", "signer"):
            yield child
            yield from _below(child)


def _field(hint: Any, info: FieldInfo) -> Strategy:
    annotated = get_origin(hint) is Annotated  # then the hint holds the metadata itself
    return _of(hint) if annotated else _constrained(_of(hint), info.metadata)


def _of(hint: Any) -> Strategy:
    if get_origin(hint) is Annotated:
        base, *extras = get_args(hint)
        return _annotated(base, [m for extra in extras for m in _metadata(extra)])
    if get_origin(hint) in (Union, types.UnionType):
        return st.one_of([_of(part) for part in get_args(hint)])
    return _container(hint)


def _container(hint: Any) -> Strategy:
    parts = get_args(hint)
    match get_origin(hint):
        case origin if origin is Literal:
            return st.sampled_from(parts)
        case origin if origin is tuple:
            return st.lists(_of(parts[0]), max_size=ITEMS_MAX).map(tuple)
        case origin if origin is dict:
            return st.dictionaries(_of(parts[0]), _of(parts[1]), max_size=ITEMS_MAX)
    return _plain(hint)


def _plain(hint: Any) -> Strategy:
    if isinstance(hint, type) and issubclass(hint, Canonical):
        return values_of(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    known: dict[Any, Callable[[], Strategy]] = {
        bool: st.booleans,
        int: lambda: st.integers(0, 3) | st.integers(0, INT_MAX),
        str: lambda: st.text(max_size=12),
        type(None): st.none,
    }
    return known[hint]()


def _annotated(base: Any, metadata: list[Any]) -> Strategy:
    for constraint in metadata:
        if isinstance(constraint, BeforeValidator | AfterValidator | PlainValidator):
            return _VALIDATED[constraint.func.__name__]
        pattern = getattr(constraint, "pattern", None)
        if pattern is not None:
            return _constrained(_matching(pattern), [m for m in metadata if m is not constraint])
    return _constrained(_of(base), metadata)


def _matching(pattern: str) -> Strategy:
    """Draw text that matches a pattern; hex is drawn as bytes, a hundred times faster."""
    bare = pattern.removeprefix("^").removesuffix("$")
    if sized := _HEX_OF_SIZE.fullmatch(bare):
        size = int(sized[1]) // 2
        return st.binary(min_size=size, max_size=size).map(lambda raw: f"0x{raw.hex()}")
    return st.from_regex(bare, fullmatch=True)


def _constrained(drawn: Strategy, metadata: list[Any]) -> Strategy:
    for constraint in metadata:
        drawn = _bounded(drawn, constraint)
    return drawn


def _bounded(drawn: Strategy, constraint: Any) -> Strategy:
    least, most = getattr(constraint, "ge", None), getattr(constraint, "le", None)
    shortest = getattr(constraint, "min_length", None)
    longest = getattr(constraint, "max_length", None)
    if least is not None:
        drawn = drawn.map(lambda value: value if value is None else max(value, least))
    if most is not None:
        drawn = drawn.map(lambda value: value if value is None else min(value, most))
    if shortest is not None:
        drawn = drawn.filter(lambda value: value is None or len(value) >= shortest)
    if longest is not None:
        drawn = drawn.map(lambda value: value if value is None else value[:longest])
    return drawn


def _metadata(extra: Any) -> list[Any]:
    return list(extra.metadata) if isinstance(extra, FieldInfo) else [extra]
