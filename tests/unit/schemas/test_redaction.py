import pytest

from schemas.canonical import canonical_bytes, digest
from schemas.redaction import REDACTED_FIELDS, redacted, signed_part
from tests.harness.builders.cases import intent, key_answer, key_request, signed

RAW_TRANSACTION = "0x02f8" + "ab" * 60
DONE = signed(intent(), raw_transaction=RAW_TRANSACTION, transaction_hash="0x" + "cd" * 32)


def test_a_redacted_event_has_digests_instead_of_secret_bytes() -> None:
    hidden = redacted(DONE.plain())
    assert RAW_TRANSACTION not in canonical_bytes(hidden).decode()
    assert hidden["raw_transaction"] == digest("sixgate/gated/v1", RAW_TRANSACTION.encode())
    answer = key_answer(key_request())
    shown = canonical_bytes(redacted(answer.plain())).decode()
    assert all(
        f'"{getattr(answer, name)}"' not in shown for name in REDACTED_FIELDS["key.provisioned"]
    )


def test_redaction_changes_no_other_field_and_not_its_input() -> None:
    before = DONE.plain()
    hidden = redacted(before)
    assert before == DONE.plain()
    assert {name for name in before if before[name] != hidden[name]} == {"raw_transaction"}
    assert hidden.keys() == before.keys()


def test_an_absent_redacted_field_stays_absent() -> None:
    assert "raw_transaction" not in redacted(signed(intent()).plain())
    assert redacted({"type": "something.else", "raw_transaction": "0x"}) == {
        "type": "something.else",
        "raw_transaction": "0x",
    }


def test_both_forms_have_the_same_signed_part() -> None:
    event = DONE.plain()
    assert signed_part(redacted(event)) == signed_part(redacted(event | {"signature": "0x00"}))
    other = event | {"raw_transaction": RAW_TRANSACTION + "00"}
    assert signed_part(redacted(other)) != signed_part(redacted(event))


def test_the_signed_part_begins_with_the_event_type() -> None:
    assert signed_part(redacted(DONE.plain())).startswith(
        b"sixgate/event/transaction.signed/v1\x00{"
    )


def test_a_digest_in_place_of_the_content_changes_the_signed_part() -> None:
    hidden = redacted(DONE.plain())
    assert signed_part(redacted(hidden)) != signed_part(hidden)


@pytest.mark.parametrize("other", ["intent.rejected", "key.provisioned"])
def test_events_of_different_types_have_different_signed_parts(other: str) -> None:
    event = redacted(DONE.plain())
    assert signed_part(event | {"type": other}) != signed_part(event)
