"""Truncated responses of a server are reported as such and never taken as complete."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from streams.ledger.chain import EMPTY
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.entry import entry_of
from streams.ledger.errors import LedgerMissingError, LedgerUnreachableError
from streams.ledger.server import Server
from streams.ledger.table import LedgerTable, batch_of
from tests.harness.broker.ledger_servers import ADMIN, databases
from tests.harness.broker.proxy import CuttingProxy
from tests.harness.builders.ledger import ORG, Pipeline
from tools.local.clickhouse import ClickHouse as LocalServer
from tools.local.ports import HOST

# Every byte was tried once; these positions cover each header and each part of a body.
STEP_BYTES = 11
HURRIED_S = 4
ROW = "SELECT seq, body FROM ledger WHERE seq = 3"
QUESTIONS: dict[str, Callable[[ClickHouse], object]] = {
    "a row": lambda clickhouse: clickhouse.rows(ROW),
    "no row": lambda clickhouse: clickhouse.rows("SELECT seq FROM ledger WHERE seq = 9"),
    "formatted": lambda clickhouse: clickhouse.formatted(ROW, "JSONEachRow"),
}


@pytest.fixture(scope="module")
def proxy(ledger_server: LocalServer) -> Iterator[CuttingProxy]:
    with closing(CuttingProxy(ledger_server.port)) as made:
        yield made


@pytest.fixture(scope="module")
def written(ledger_server: LocalServer) -> Iterator[ClickHouse]:
    """A ledger of a few rows."""
    entries = [entry_of(record) for record in Pipeline().run(5)]
    with databases(ledger_server) as fresh:
        made = fresh()
        LedgerTable(made, ORG).append(batch_of(EMPTY, entries))
        yield made


@pytest.fixture(scope="module")
def reader(written: ClickHouse, proxy: CuttingProxy) -> Iterator[ClickHouse]:
    """Reads the ledger through the proxy."""
    through = Server(HOST, proxy.port, ADMIN)
    with closing(ClickHouse.server(through, written.database)) as made:
        yield made


@pytest.fixture(params=QUESTIONS)
def ask(request: pytest.FixtureRequest) -> Callable[[ClickHouse], object]:
    return QUESTIONS[request.param]


def test_a_truncated_response_is_an_error_and_later_ones_are_intact(
    ask: Callable[[ClickHouse], object], reader: ClickHouse, proxy: CuttingProxy
) -> None:
    whole, size = measured(ask, reader, proxy)
    for passed in range(0, size, STEP_BYTES):
        proxy.cut_after(passed)
        with suppress(LedgerUnreachableError):  # the bytes after the last row are not required
            assert ask(reader) == whole, f"cut after {passed} of {size} bytes"
        proxy.pass_all()
        assert ask(reader) == whole


def test_a_truncated_refusal_is_not_another_refusal(
    reader: ClickHouse, proxy: CuttingProxy
) -> None:
    whole, size = measured(refused, reader, proxy)
    for passed in range(0, size, STEP_BYTES):
        proxy.cut_after(passed)
        with suppress(LedgerUnreachableError):
            assert refused(reader) == whole, f"cut after {passed} of {size} bytes"
    proxy.pass_all()


@pytest.mark.parametrize("part", [0.2, 0.95])
def test_a_server_that_hangs_within_a_response_is_unreachable(
    part: float, written: ClickHouse, reader: ClickHouse, proxy: CuttingProxy
) -> None:
    ask = QUESTIONS["a row"]
    _, size = measured(ask, reader, proxy)
    hurried = Server(HOST, proxy.port, ADMIN, answer_s_max=HURRIED_S)
    with closing(ClickHouse.server(hurried, written.database)) as hasty:
        proxy.cut_after(int(part * size), hang=True)
        with pytest.raises(LedgerUnreachableError, match="timeout"):
            ask(hasty)
        proxy.pass_all()


def test_no_connection_is_made_through_truncated_responses(
    reader: ClickHouse, proxy: CuttingProxy
) -> None:
    try:
        for passed in range(0, 600, STEP_BYTES):
            proxy.cut_after(passed)
            with pytest.raises(LedgerUnreachableError):
                reader.new_connection()
    finally:
        proxy.pass_all()


def measured(
    ask: Callable[[ClickHouse], object], reader: ClickHouse, proxy: CuttingProxy
) -> tuple[object, int]:
    """Return a complete response and its size in bytes."""
    proxy.pass_all()
    return ask(reader), proxy.passed


def refused(reader: ClickHouse) -> str:
    """Return the error of a refused query."""
    with pytest.raises(LedgerMissingError) as found:
        reader.rows("SELECT 1 FROM nothing")
    return str(found.value)
