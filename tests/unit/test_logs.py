"""Structured logs: one JSON object per event, no flood while Kafka does not answer, no secret."""

import ast
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from signer.custody.kms.journal import KmsJournal
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import failure_of
from sixgate.cli.processes import log_end
from sixgate.config.loading import settings_digest
from sixgate.config.process_settings import Settings
from sixgate.errors import SettingsError
from sixgate.logs import REMEMBERED_COUNT_MAX, JsonLines, RepeatLimit, log_kms_call
from sixgate.releasing.policy_file import LastGood
from streams.kafka.errors import KafkaFencedError, KafkaUnreachableError
from streams.ledger.errors import LedgerRewrittenError
from streams.runners.clock import ClockError
from streams.slow_calls import log_slow

ROOT = Path(__file__).parents[2]
EVENT = re.compile(
    r"(process|monitor|custody|desk|memory|tls|kafka|library|signer|slot|gates|simulator|registry|kms|ledger|pipeline"
    r"|release|webhook|http|mcp)\.[a-z_]+"
)
LEVELS = {"debug", "info", "warning", "error", "any"}


def line(name: str, at_s: float, number: int) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.ERROR, "", 0, "no answer %d", (number,), None)
    record.created = at_s
    return record


def logged_events() -> set[str]:
    """Return the event names in the source of modules that log."""
    sources = [
        path.read_text()
        for package in ("signer", "streams", "sixgate")
        for path in (ROOT / package).rglob("*.py")
    ]
    return {
        node.value
        for source in sources
        if re.search(r"^import logging$|log_slow", source, re.MULTILINE)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and EVENT.fullmatch(node.value)
    }


def test_an_event_is_one_json_object_with_its_facts() -> None:
    record = logging.LogRecord("sixgate.slot", logging.INFO, "", 0, "slot.taken_over", (), None)
    record.created, record.slot = 1_700_000_000.5, 3
    assert json.loads(JsonLines().format(record)) == {
        "at": "2023-11-14T22:13:20.500+00:00",
        "level": "info",
        "logger": "sixgate.slot",
        "event": "slot.taken_over",
        "slot": 3,
    }


def test_a_librarys_line_keeps_its_sentence() -> None:
    shown = json.loads(JsonLines().format(line("aiokafka.client", 100, 7)))
    assert (shown["event"], shown["message"]) == ("library.message", "no answer 7")


def test_a_librarys_fields_are_not_logged_and_cannot_replace_ours() -> None:
    record = line("google.late", 100, 7)
    record.event, record.headers = "process.stopped", {"Authorization": "Bearer hunter2"}
    shown = json.loads(JsonLines().format(record))
    assert (shown["event"], shown["logger"]) == ("library.message", "google.late")
    assert "hunter2" not in str(shown)


@pytest.mark.parametrize("value", [os.fsdecode(b"/srv/\xff"), 2**70, {1: 2}])
def test_an_odd_value_is_still_one_json_object(value: object) -> None:
    record = logging.LogRecord("sixgate.slot", logging.INFO, "", 0, "slot.loaded", (), None)
    record.detail = value
    assert json.loads(JsonLines().format(record))["event"] == "slot.loaded"


def test_the_kafka_client_repeats_itself_once_a_second_and_the_rest_is_counted() -> None:
    limit = RepeatLimit()
    lines = [line("aiokafka.client", 100 + n / 10, n) for n in range(11)]
    passed = [one for one in lines if limit.filter(one)]
    assert [one.getMessage() for one in passed] == ["no answer 0", "no answer 10"]
    assert vars(passed[1])["suppressed"] == 9


def test_the_limit_remembers_a_bounded_number_of_messages() -> None:
    limit = RepeatLimit()
    for number in range(3 * REMEMBERED_COUNT_MAX):
        record = logging.LogRecord("asyncio", logging.ERROR, "", 0, f"task {number}", (), None)
        assert limit.filter(record)
    assert len(limit._last_s) <= REMEMBERED_COUNT_MAX  # noqa: SLF001 - its memory


def test_our_own_events_are_never_suppressed() -> None:
    limit = RepeatLimit()
    assert all(limit.filter(line("sixgate.gates", 100, n)) for n in range(10))


@pytest.mark.parametrize("elapsed_ms", [999, 1000])
def test_only_a_slow_step_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, elapsed_ms: int
) -> None:
    times_s = iter([10.0, 10.0 + elapsed_ms / 1000])
    monkeypatch.setattr("streams.slow_calls.monotonic", lambda: next(times_s))
    with log_slow(logging.getLogger("sixgate.slot"), "slot.commit_slow", slot=1):
        pass
    shown = [
        (one.getMessage(), vars(one)["slot"], vars(one)["elapsed_ms"]) for one in caplog.records
    ]
    assert shown == ([("slot.commit_slow", 1, 1000)] if elapsed_ms == 1000 else [])


@pytest.mark.parametrize(
    ("error", "event", "code"),
    [
        (KafkaFencedError("taken over"), "process.fenced", ExitCode.TAKEN_OVER),
        (LedgerRewrittenError("row 5 is missing"), "process.halted", ExitCode.LEDGER_WRONG),
        (ClockError("the clock jumped"), "process.halted", ExitCode.HALTED),
        (KafkaUnreachableError("no answer"), "process.failed", ExitCode.UNREACHABLE),
        (ValueError("password=hunter2"), "process.failed", ExitCode.INTERNAL),
    ],
)
def test_the_end_of_a_process_is_logged_with_its_exit_code_and_no_foreign_message(
    caplog: pytest.LogCaptureFixture, error: Exception, event: str, code: ExitCode
) -> None:
    log_end(failure_of(error), error)
    (record,) = caplog.records
    line = json.loads(JsonLines().format(record))
    assert (line["event"], line["exit_code"]) == (event, code)
    assert line["error"] == type(error).__name__
    assert "hunter2" not in str(line)


def test_an_unusable_file_is_logged_once_for_each_reason(caplog: pytest.LogCaptureFixture) -> None:
    results: Iterator[int | str] = iter([1, "broken", "broken", 2, "broken", "missing"])

    def load() -> int:
        if isinstance(found := next(results), str):
            raise SettingsError(found)
        return found

    file = LastGood(load)
    assert [file.reload() for _ in range(5)] == [1, 1, 2, 2, 2]
    assert [vars(one)["detail"] for one in caplog.records] == ["broken", "broken", "missing"]


def test_a_kms_call_is_logged_if_it_failed_or_was_slow(caplog: pytest.LogCaptureFixture) -> None:
    journal = KmsJournal(lambda: 0, log_kms_call)
    journal.record("unwrap", "gcp:key", b"context", "KmsDeniedError", elapsed_ms=5)
    journal.record("unwrap", "gcp:key", b"context", elapsed_ms=1_000)
    journal.record("unwrap", "gcp:key", b"context", elapsed_ms=999)
    assert [one.getMessage() for one in caplog.records] == ["kms.call_failed", "kms.call_slow"]
    assert len(journal.drain()) == 3


def test_the_settings_digest_names_the_settings_and_reveals_no_password() -> None:
    def digest(user: str, password: str) -> str:
        clickhouse = {"user": user, "password": password}
        return settings_digest(Settings.model_validate({"clickhouse": clickhouse}))

    assert digest("reader", "one") == digest("reader", "two")
    assert digest("reader", "one") != digest("writer", "one")
    assert re.fullmatch(r"0x[0-9a-f]{64}", digest("reader", "one"))


def test_the_page_lists_every_event_and_no_other() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    section = page.split("\n## Logs\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z._]+)` \| (\w+) \|", section, re.MULTILINE)
    assert {level for _, level in rows} <= LEVELS
    assert {event for event, _ in rows} == logged_events()
