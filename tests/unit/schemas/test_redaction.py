import pytest

from schemas.canonical import canonical_bytes, digest
from schemas.redaction import REDACTED_FIELDS, redacted, signed_part
from tests.harness.builders.cases import intent, key_answer, key_request, signed

RAW_TRANSACTION = "0x02f8" + "ab" * 60
DONE = signed(intent(), raw_transaction=RAW_TRANSACTION, transaction_hash="0x" + "cd" * 32)


def test_a_gated_event_carries_digests_and_no_secret_bytes() -> None:
    hidden = redacted(DONE.plain())
    assert RAW_TRANSACTION not in canonical_bytes(hidden).decode()
    assert hidden["raw_transaction"] == digest("sixgate/gated/v1", RAW_TRANSACTION.encode())
    answer = key_answer(key_request())
    shown = canonical_bytes(redacted(answer.plain())).decode()
    assert all(
        f'"{getattr(answer, name)}"' not in shown for name in REDACTED_FIELDS["key.provisioned"]
    )


def test_gating_changes_nothing_else_and_leaves_its_input_alone() -> None:
    before = DONE.plain()
    hidden = redacted(before)
    assert before == DONE.plain()
    assert {name for name in before if before[name] != hidden[name]} == {"raw_transaction"}
    assert hidden.keys() == before.keys()


def test_an_event_without_the_gated_field_stays_without_it() -> None:
    assert "raw_transaction" not in redacted(signed(intent()).plain())
    assert redacted({"type": "something.else", "raw_transaction": "0x"}) == {
        "type": "something.else",
        "raw_transaction": "0x",
    }


def test_the_signed_part_is_the_same_for_holders_of_either_form() -> None:
    event = DONE.plain()
    assert signed_part(redacted(event)) == signed_part(redacted(event | {"signature": "0x00"}))
    other = event | {"raw_transaction": RAW_TRANSACTION + "00"}
    assert signed_part(redacted(other)) != signed_part(redacted(event))


def test_the_signed_part_begins_with_what_it_is() -> None:
    assert signed_part(redacted(DONE.plain())).startswith(
        b"sixgate/event/transaction.signed/v1\x00{"
    )


def test_passing_the_digest_off_as_the_content_changes_what_is_signed() -> None:
    hidden = redacted(DONE.plain())
    assert signed_part(redacted(hidden)) != signed_part(hidden)


@pytest.mark.parametrize("other", ["intent.rejected", "key.provisioned"])
def test_an_event_of_one_type_is_never_signed_as_another(other: str) -> None:
    event = redacted(DONE.plain())
    assert signed_part(event | {"type": other}) != signed_part(event)
