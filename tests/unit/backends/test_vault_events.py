"""Events of ``vault`` reach clients unchanged; a record that is not UTF-8 is an error."""

import pytest

from schemas.record import Record
from schemas.topics import Topic
from sixgate.api import ApiError
from sixgate.backends.operations import vault_event

TEXT = '{"type":"secret.stored","path":"prod/dé"}'


def record(value: bytes) -> Record:
    return Record(Topic.VAULT, 2, 40, "treasury", value, 0)


def test_an_event_is_returned_unchanged() -> None:
    assert vault_event(record(TEXT.encode())) == {"event": TEXT}


@pytest.mark.parametrize("value", [b"\xff", TEXT.encode("latin-1"), b'{"a":"\xed\xa0\x80"}'])
def test_a_record_that_is_not_utf8_is_an_error_that_names_it(value: bytes) -> None:
    with pytest.raises(ApiError, match="record 40 of partition 2") as caught:
        vault_event(record(value))
    assert caught.value.code == "halted"
