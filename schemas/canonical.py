"""Canonical bytes: the only encoding that digests and signatures cover.

UTF-8 JSON, keys sorted, no whitespace, no floats, absent instead of null, integers that may pass
2^53 as decimal strings, lower-case hex with 0x. ``docs/format.md`` describes it for other
implementations.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

WHY_MAX = 256
_FIELD = re.compile(r"[A-Za-z0-9_.-]{1,63}", re.ASCII)
_WORDS = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "extra_forbidden": "is not a known field",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "json_invalid": "is not JSON",
    "list_type": "must be a list",
    "missing": "is missing",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "string_type": "must be a string",
    "tuple_type": "must be a list",
    "union_tag_invalid": "is of an unknown type",  # pydantic's sentence repeats the input
    "union_tag_not_found": "has no type",
}


class MalformedError(ValueError):
    """The bytes are not the canonical form of the expected model.

    ``where`` is the dotted path of the first wrong field, or ``"bytes"``. Both are short and repeat
    only field names of the input, so they are safe in logs and records.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


class Canonical(BaseModel):
    """A frozen value with exactly one encoding; the base of all hashed or signed values."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        populate_by_name=True,
        revalidate_instances="never",
        hide_input_in_errors=True,
    )

    def plain(self) -> dict[str, Any]:
        """Return the value as plain data with wire names, without absent fields."""
        return self.model_dump(exclude_none=True, by_alias=True)

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return canonical_bytes(self.plain())

    @cached_property
    def fragment(self) -> orjson.Fragment:
        """Return the canonical bytes, cached, for embedding in a larger value."""
        return orjson.Fragment(self.encode())

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a changed copy, without the cached values of the old content."""
        copied = super().model_copy(update=update, deep=deep)
        for derived in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[derived]
        return copied

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Parse canonical bytes; raise ``MalformedError`` unless they re-encode to themselves."""
        return decode_as(cls.model_validate_json, raw)


Value = TypeVar("Value", bound=Canonical)


def decode_as(parse: Callable[[bytes], Value], raw: bytes) -> Value:
    """Parse canonical bytes like ``Canonical.decode``, with any pydantic parser.

    The comparison with the re-encoding rejects duplicate and unsorted keys, whitespace, null,
    escaped characters and alternative spellings of numbers.
    """
    try:
        value = parse(raw)
    except ValidationError as error:
        raise malformed(error) from None
    if value.encode() != raw:
        raise MalformedError("bytes", "not canonical: they re-encode to other bytes")
    return value


def canonical_bytes(value: Any) -> bytes:
    """Encode plain JSON data (no floats, string keys) as canonical bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(tag: str, body: bytes) -> str:
    """Return ``0x`` + SHA-256(tag || 0x00 || body) in hex; the tag separates digest kinds."""
    return "0x" + hashlib.sha256(tag.encode() + b"\x00" + body).hexdigest()


def event_id(stage: str, source: str) -> str:
    """Derive the id of the event that ``stage`` makes from the input named ``source``.

    The same input always gives the same id, so readers can drop repetitions.
    """
    return digest("sixgate/event-id/v1", f"{stage}\x00{source}".encode())


def malformed(error: ValidationError) -> MalformedError:
    """Convert pydantic's first error, without any value of the input."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(part for part in map(str, first["loc"]) if _FIELD.fullmatch(part))
    return MalformedError(where or "bytes", validation_message(first)[:WHY_MAX])


def validation_message(problem: Mapping[str, Any]) -> str:
    """Return the end of a sentence that begins with the field's name. Never repeats the input."""
    if problem["type"] in _WORDS:
        return _WORDS[problem["type"]]
    message = str(problem["msg"]).removeprefix("Value error, ").replace(" after validation", "")
    if message.startswith("Value should"):  # a secret text, whose length pydantic counts in items
        message = message.replace(" item", " character")
    return re.sub(r"^\w+ should ", "must ", message)
