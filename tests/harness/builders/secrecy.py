"""Searches everything that an object or exception could print for secrets."""

import base64
import io
import logging
import pprint
import traceback
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.traceback import Traceback

HOUSE = str(Path(__file__).parents[2])


def spellings(secret: bytes) -> Iterator[str]:
    """Return the forms in which bytes of a secret could appear in text."""
    run = secret[8:24]
    yield run.hex()
    yield repr(run)[2:-1]
    yield repr(list(run))[1:-1]
    yield str(int.from_bytes(secret, "big"))
    yield base64.b64encode(secret).decode()[11:30]


def shows(text: str, *secrets: bytes) -> list[str]:
    return [each for secret in secrets for each in spellings(secret) if each in text]


def printed(thing: object) -> str:
    stream = io.StringIO()
    logging.StreamHandler(stream).handle(
        logging.LogRecord("x", logging.ERROR, "", 0, "%s %r", (thing, thing), None)
    )
    Console(file=stream, width=10_000).print(thing)
    slots = [getattr(thing, "__dict__", {})]
    return " ".join([str(thing), repr(thing), f"{thing}", pprint.pformat(thing), str(slots)]) + (
        stream.getvalue()
    )


def rendered(error: BaseException) -> str:
    """Return everything a crash reporter could print, including local variables."""
    without_tests(error)
    plain = traceback.TracebackException.from_exception(error, capture_locals=True)
    stream = io.StringIO()
    Console(file=stream, width=10_000).print(
        Traceback.from_exception(
            type(error), error, error.__traceback__, show_locals=True, locals_max_string=10_000
        )
    )
    states = [repr((each, each.args, vars(each))) for each in chain(error)]
    return "".join([*plain.format(), stream.getvalue(), *states])


def without_tests(error: BaseException) -> None:
    """Drop the frames of the tests, which have the secrets; keep those of the product."""
    for each in chain(error):
        frames = each.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename.startswith(HOUSE):
            frames = frames.tb_next
        each.__traceback__ = frames
        assert frames is not None


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
