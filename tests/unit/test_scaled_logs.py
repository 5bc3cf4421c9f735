"""What the scaled processes write while Kafka does not answer: enough, and not a flood."""

import logging

from sixgate.scaled.logs import RepeatFilter


def line(name: str, at_s: float, number: int) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.ERROR, "", 0, "no answer %d", (number,), None)
    record.created = at_s
    return record


def test_the_kafka_client_repeats_itself_once_a_second_and_what_was_spared_is_counted() -> None:
    sparing = RepeatFilter()
    lines = [line("aiokafka.client", 100 + n / 10, n) for n in range(11)]
    shown = [one for one in lines if sparing.filter(one)]
    assert [one.getMessage() for one in shown] == ["no answer 0", "no answer 10"]
    assert vars(shown[1])["spared"] == 9


def test_nothing_of_our_own_is_spared() -> None:
    sparing = RepeatFilter()
    assert all(sparing.filter(line("sixgate.gates", 100, n)) for n in range(10))
