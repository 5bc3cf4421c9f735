"""Base classes of request and reply models, and field types that several of them share."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


class Request(BaseModel):
    """A request that refuses unknown members: ignoring one could weaken a promise."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class LenientRequest(BaseModel):
    """A request that ignores unknown descriptive members."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Reply(BaseModel):
    """A reply; every member is always present."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


def timestamp(at_ms: int) -> str:
    """Return a time as RFC 3339 text in UTC, with milliseconds."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be an RFC 3339 time, such as 2030-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("must name a time zone, such as 2030-01-31T12:00:00Z")
    return int(moment.timestamp() * 1000)


def time_ms(text: str | None) -> int | None:
    """Return the milliseconds since 1970 of an already checked time."""
    return None if text is None else _time_ms(text)


def _checked(text: str) -> str:
    _time_ms(text)
    return text


Time = Annotated[str, AfterValidator(_checked)]
"""An RFC 3339 time with a time zone."""
