"""What somebody else put on ``vault`` is one sentence to whoever reads it, byte for byte or not."""

import pytest

from schemas.record import Record
from schemas.topics import Topic
from sixgate.answers.vault_events import vault_event
from sixgate.api import ApiError

TEXT = '{"type":"secret.stored","path":"prod/dé"}'


def said(value: bytes) -> Record:
    return Record(Topic.VAULT, 2, 40, "treasury", value, 0)


def test_an_event_is_told_as_it_stands_there() -> None:
    assert vault_event(said(TEXT.encode())) == {"event": TEXT}


@pytest.mark.parametrize("value", [b"\xff", TEXT.encode("latin-1"), b'{"a":"\xed\xa0\x80"}'])
def test_what_is_no_text_is_never_told_as_another(value: bytes) -> None:
    with pytest.raises(ApiError, match="record 40 of partition 2") as caught:
        vault_event(said(value))
    assert caught.value.code == "halted"
