"""Health check of a process from outside: it answers, and its partitions make progress."""

from enum import Enum, auto
from http.client import HTTPConnection, HTTPException, IncompleteRead
from typing import NamedTuple
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from sixgate.services.http_framing import body_of

STALLED = "sixgate_stalled_seconds"
PAGE_BYTES_MAX = 4 * 1024 * 1024


class State(Enum):
    """State of a process as seen from outside."""

    HEALTHY = auto()
    STALLED = auto()
    ABSENT = auto()
    UNEXPECTED = auto()


class Health(NamedTuple):
    """A process's state and the sentence that explains it."""

    state: State
    sentence: str


class Address(NamedTuple):
    """Where a process serves its metrics."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_address(url: str) -> Address:
    """Parse ``http://HOST:PORT``; raise ``ValueError`` for anything else."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or not parts.port or parts.path.strip("/"):
        raise ValueError("not of the form http://HOST:PORT")
    return Address(parts.hostname, parts.port)


def check_health(at: Address, stalled_s_max: float) -> Health:
    """Fetch a process's metrics, waiting at most ``stalled_s_max``, and evaluate them."""
    connection = HTTPConnection(at.host, at.port, timeout=stalled_s_max)
    try:
        connection.request("GET", "/metrics")
        page = body_of(connection.getresponse(), PAGE_BYTES_MAX)
    except TimeoutError:
        waited = f"it did not answer within {stalled_s_max:g} s"
        return Health(State.STALLED, f"The process at {at} is stalled: {waited}.")
    except (OSError, IncompleteRead) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        return Health(State.ABSENT, f"No process answers at {at} ({why}): start it.")
    except (HTTPException, ValueError):
        page = b""
    finally:
        connection.close()
    return evaluate(at, page.decode("utf-8", "replace"), stalled_s_max)


def evaluate(at: Address, page: str, stalled_s_max: float) -> Health:
    """Evaluate a page of metrics."""
    try:
        families = list(text_string_to_metric_families(page))
    except ValueError:
        families = []
    stalled_s = [s.value for family in families for s in family.samples if s.name == STALLED]
    if not stalled_s:
        return Health(State.UNEXPECTED, f"{at} does not export {STALLED}: name another URL.")
    if max(stalled_s) >= stalled_s_max:
        why = f"it has lag and made no progress for {max(stalled_s):.0f} s"
        return Health(State.STALLED, f"The process at {at} is stalled: {why}.")
    return Health(State.HEALTHY, f"The process at {at} is healthy.")
