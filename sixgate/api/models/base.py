"""Base classes of request and reply models, and field types that several of them share."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
MEMBERS_MAX = 64
YEAR_10000_MS = 253_402_300_800_000


class Request(BaseModel):
    """A request that refuses unknown members: ignoring one could weaken a promise.

    A value of another JSON type is refused too: a converted one may mean something else.

    ``unsupported`` maps members of the documented API that Sixgate does not have to the value that
    asks for nothing. A client may send this value, null, false or an empty one; any other value is
    refused by the member's name.
    """

    unsupported: ClassVar[Mapping[str, object]] = MappingProxyType({})
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _asked_members(cls, members: object) -> object:
        """Drop members that are off; refuse many at once: naming each blocks the event loop."""
        if not isinstance(members, dict):
            return members
        if len(members) > MEMBERS_MAX:
            raise ValueError(f"has {len(members)} members; at most {MEMBERS_MAX} are possible")
        return {name: member for name, member in members.items() if not cls._is_off(name, member)}

    @classmethod
    def _is_off(cls, name: str, member: object) -> bool:
        """Return whether a member is unsupported and asks for nothing; 0 may be a limit."""
        if name not in cls.unsupported:
            return False
        if member is None or member is False or member in ("", [], {}):
            return True
        default = cls.unsupported[name]
        return (type(member), member) == (type(default), default)


class LenientRequest(BaseModel):
    """A request that ignores unknown descriptive members."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)


class Reply(BaseModel):
    """A reply; every member is always present. Only the member ``from`` has an alias."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


def must_be_empty(why: str) -> AfterValidator:
    """Return the validator of a member that is refused unless empty: it would not be enforced."""

    def check(value: Any) -> Any:
        if value:
            raise ValueError(why)
        return value

    return AfterValidator(check)


def optional_timestamp(at_ms: int | None) -> str | None:
    """Return a time as ``timestamp`` does; None stays None."""
    return None if at_ms is None else timestamp(at_ms)


def timestamp(at_ms: int) -> str:
    """Return a time as RFC 3339 text in UTC, with milliseconds."""
    moment = _EPOCH + at_ms * _MS
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be an RFC 3339 time, such as 2030-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("must name a time zone, such as 2030-01-31T12:00:00Z")
    at_ms = (moment - _EPOCH) // _MS
    if not 0 <= at_ms < YEAR_10000_MS:
        raise ValueError("must be a time from 1970 to 9999")
    return at_ms


def time_ms(text: str | None) -> int | None:
    """Return the milliseconds since 1970 of an already checked time."""
    return None if text is None else _time_ms(text)


def _checked(text: str) -> str:
    _time_ms(text)
    return text


Time = Annotated[str, AfterValidator(_checked)]
"""An RFC 3339 time from 1970 to 9999 with a time zone."""
