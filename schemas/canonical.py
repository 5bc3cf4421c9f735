"""Canonical bytes: the one encoding that digests and signatures are made over.

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


class MalformedError(ValueError):
    """Bytes that are not the canonical form of the model they claim to be.

    ``where`` is the dotted path of the first wrong field, or ``"bytes"``. Both are short, and
    repeat nothing of the input but names of fields, so that they may go into logs and records.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


class Canonical(BaseModel):
    """A frozen value with exactly one encoding; the base of everything that is hashed or signed."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        populate_by_name=True,
        revalidate_instances="never",
        hide_input_in_errors=True,
    )

    def plain(self) -> dict[str, Any]:
        """Return the value as plain data with the wire's names, absent fields left out."""
        return self.model_dump(exclude_none=True, by_alias=True)

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return canonical_bytes(self.plain())

    @cached_property
    def fragment(self) -> orjson.Fragment:
        """Return the canonical bytes, made once, for use inside a larger value."""
        return orjson.Fragment(self.encode())

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a changed copy without what was derived from the old content and kept."""
        copied = super().model_copy(update=update, deep=deep)
        for derived in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[derived]
        return copied

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Parse canonical bytes.

        Raise ``MalformedError`` unless their value encodes to the same.
        """
        return decode_as(cls.model_validate_json, raw)


Value = TypeVar("Value", bound=Canonical)


def decode_as(parse: Callable[[bytes], Value], raw: bytes) -> Value:
    """Parse canonical bytes as ``Canonical.decode`` does, for any parser of pydantic's.

    Comparing with the re-encoding refuses duplicate and unsorted keys, whitespace, null, escaped
    characters and every second spelling of a number at once.
    """
    try:
        value = parse(raw)
    except ValidationError as error:
        raise malformed(error) from None
    if value.encode() != raw:
        raise MalformedError("bytes", "not the canonical encoding of their own content")
    return value


def canonical_bytes(value: Any) -> bytes:
    """Encode plain JSON data (no floats, string keys) as canonical bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(tag: str, body: bytes) -> str:
    """Return ``0x`` + SHA-256(tag || 0x00 || body) in hex; the tag keeps kinds of digest apart."""
    return "0x" + hashlib.sha256(tag.encode() + b"\x00" + body).hexdigest()


def event_id(stage: str, source: str) -> str:
    """Derive the id of the event that ``stage`` makes of the input named ``source``.

    The same input always gives the same id, so every repetition is recognised downstream.
    """
    return digest("sixgate/event-id/v1", f"{stage}\x00{source}".encode())


def malformed(error: ValidationError) -> MalformedError:
    """Translate pydantic's first complaint, without what the input wrote into it."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(part for part in map(str, first["loc"]) if _FIELD.fullmatch(part))
    why = "of no known type" if first["type"] == "union_tag_invalid" else first["msg"]
    return MalformedError(where or "bytes", why[:WHY_MAX])
