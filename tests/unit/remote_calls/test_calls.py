"""Remote calls over a Unix socket: arguments, answers, errors, streams and their ends."""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Protocol

import pytest

from sixgate.api.server import Limits, Listen, serving
from sixgate.api_error import ApiError
from sixgate.remote_calls.call_table import Call, CallTable
from sixgate.remote_calls.calls_app import CallsApp
from sixgate.remote_calls.line_stream import BUFFER_BYTES_MAX
from sixgate.remote_calls.proxy import remote
from sixgate.remote_calls.unix_link import UnixLink, dial
from tests.harness.builders.waiting import until

Json = dict[str, Any]
WAIT_S_MAX = 60
LINE_BYTES = 10_000


class Shop(Protocol):
    """A small protocol."""

    def price(self, name: str, *, count: int, exact: bool, at: int | str, note: str | None) -> Json:
        """Return the arguments."""
        ...

    def sell(self, names: list[str], *, note: str | None = None) -> list[Json]:
        """Return the arguments, or an error."""
        ...

    def prices(self, *, count: int) -> Iterator[Json]:
        """Yield prices, then fail if the count is negative."""
        ...

    def follow(self) -> Iterator[Json]:
        """Yield prices for ever."""
        ...


SHOP_CALLS = CallTable[Shop](
    Call(Shop.price, "GET", "/v1/price"),
    Call(Shop.sell, "POST", "/v1/sales"),
    Call(Shop.prices, "GET", "/v1/prices"),
    Call(Shop.follow, "GET", "/v1/follow"),
)


class RealShop:
    """Implements the protocol."""

    def __init__(self) -> None:
        self.yielded = 0
        self.sold: list[str] = []
        self.closed = threading.Event()

    def price(self, name: str, *, count: int, exact: bool, at: int | str, note: str | None) -> Json:
        return {"name": name, "count": count, "exact": exact, "at": at, "note": note}

    def sell(self, names: list[str], *, note: str | None = None) -> list[Json]:
        if note == "refused":
            raise ApiError("registry_refused", "it is sold. Really")
        if note == "defect":
            raise ValueError("a secret")
        if note == "no list":
            return None  # type: ignore[return-value]
        self.sold += names
        return [{"name": name, "note": note} for name in names]

    def prices(self, *, count: int) -> Iterator[Json]:
        yield from ({"n": number} for number in range(abs(count)))
        if count < 0:
            raise ApiError("ledger_wrong", "row 7 is wrong")

    def follow(self) -> Iterator[Json]:
        return filter(None, self.follow_or_tick())

    def follow_or_tick(self) -> Iterator[Json | None]:
        try:
            yield None
            for number in itertools.count():
                self.yielded += 1
                yield {"n": number, "text": "x" * LINE_BYTES}
        finally:
            self.closed.set()

    def secret(self) -> Json:
        """Not in the protocol."""
        return {}


class Served:
    """A shop, its application, and a client of it."""

    def __init__(self, path: Path) -> None:
        self.shop = RealShop()
        self.path = path
        self.app = CallsApp(
            SHOP_CALLS, lambda _caller: self.shop, translated, {"follow": "follow_or_tick"}
        )
        self.link = UnixLink(lambda: dial(path))
        self.client = remote(self.link, SHOP_CALLS, lost)


def translated(error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    return ApiError("internal", f"a defect ({type(error).__name__})")


def lost(error: Exception) -> ApiError:
    return ApiError("connection_lost", type(error).__name__)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    found = Served(folder / "shop.sock")  # its path has more bytes than a socket address
    with serving(found.app, Listen(socket=found.path), Limits(stop_s_max=1, write_s_max=60)):
        yield found


@pytest.mark.parametrize("name", ["", "a", "é/../%2F?&#+ \n\x00", "12", "true", "x" * 5_000])
@pytest.mark.parametrize("at", [0, 2**53, "", "x", "1.2"])
def test_arguments_arrive_as_they_were_sent(served: Served, name: str, at: int | str) -> None:
    found = served.client.price(name, count=-3, exact=True, at=at, note=None)
    assert found == {"name": name, "count": -3, "exact": True, "at": at, "note": None}
    assert served.client.sell([name], note=name or None) == [{"name": name, "note": name or None}]
    assert served.client.sell([]) == []


def test_unknown_arguments_and_calls_are_programming_errors(served: Served) -> None:
    with pytest.raises(TypeError):
        served.client.sell()  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        served.client.secret()  # type: ignore[attr-defined]
    assert served.link.ask("GET", "/v1/secret", b"").status == 404


@pytest.mark.parametrize(
    ("note", "code", "sentence"),
    [
        ("refused", "registry_refused", "it is sold. Really"),
        ("defect", "internal", "a defect (ValueError)"),
        ("no list", "connection_lost", "UnexpectedAnswerError"),
    ],
)
def test_an_error_has_the_code_and_the_sentence_of_the_method(
    served: Served, note: str, code: str, sentence: str
) -> None:
    with pytest.raises(ApiError) as caught:
        served.client.sell([], note=note)
    assert (caught.value.code, str(caught.value)) == (code, sentence)


def test_a_stream_yields_every_item_and_then_its_error(served: Served) -> None:
    assert [item["n"] for item in served.client.prices(count=3_000)] == list(range(3_000))
    with pytest.raises(ApiError, match="row 7") as caught:
        list(served.client.prices(count=-2))
    assert caught.value.code == "ledger_wrong"
    found = served.client.prices(count=-2)
    assert [next(found), next(found)] == [{"n": 0}, {"n": 1}]


def test_a_tick_is_an_empty_line(served: Served) -> None:
    with closing(served.link.stream("GET", "/v1/follow", b"")) as parts:
        assert next(parts).body.startswith(b'\n{"item":{"n":0,')


def test_a_generator_is_closed_when_its_client_leaves(served: Served) -> None:
    found = served.client.follow()
    assert next(found)["n"] == 0
    assert not served.shop.closed.is_set()
    found.close()  # type: ignore[attr-defined]
    assert served.shop.closed.wait(WAIT_S_MAX)


def test_a_slow_client_stops_the_generator(served: Served) -> None:
    with closing(dial(served.path)) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LINE_BYTES)
        link.sendall(b"GET /v1/follow HTTP/1.1\r\nhost: x\r\n\r\n")
        until(lambda: served.shop.yielded * LINE_BYTES > BUFFER_BYTES_MAX)
        assert served.client.sell(["a"]) == [{"name": "a", "note": None}]
        assert served.shop.yielded * LINE_BYTES < 16 * BUFFER_BYTES_MAX
        assert not served.shop.closed.is_set()
    assert served.shop.closed.wait(WAIT_S_MAX)


def test_streams_end_with_an_error_when_the_server_ends(tmp_path: Path) -> None:
    found = Served(tmp_path / "shop.sock")
    with ExitStack() as ending:
        ending.enter_context(serving(found.app, Listen(socket=found.path), Limits(stop_s_max=60)))
        ending.callback(found.app.end_streams)
        prices = found.client.follow()
        assert next(prices)["n"] == 0
        threading.Timer(0, ending.pop_all().close).start()
        with pytest.raises(ApiError) as caught:
            list(prices)
    assert caught.value.code == "connection_lost"
    assert found.shop.closed.wait(WAIT_S_MAX)


def test_a_truncated_request_is_not_carried_out(served: Served) -> None:
    whole = b'POST /v1/sales HTTP/1.1\r\nhost: x\r\ncontent-length: 15\r\n\r\n{"names":["a"]}'
    for length in range(len(whole)):
        with closing(dial(served.path)) as link:
            link.sendall(whole[:length])
            link.shutdown(socket.SHUT_WR)
            while link.recv(1 << 16):
                pass
    assert served.shop.sold == []


@pytest.mark.parametrize("body", [b'{"names":["a"],"names":[]}', b'\xef\xbb\xbf{"names":[]}'])
def test_an_ambiguous_body_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        Call(Shop.sell, "POST", "/v1/sales").arguments(b"", body)
    assert caught.value.code == "request_malformed"
