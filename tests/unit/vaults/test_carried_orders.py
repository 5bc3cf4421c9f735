"""Attacks by the carrier of a vault order: other names, boxes and contexts."""

from schemas.dsse import Envelope
from schemas.keys.secret_access import SecretAccess
from schemas.keys.vault_events import SecretDelivery
from tests.harness.builders.cases import AGENT
from tests.harness.builders.custody_client import FOR_CLIENT
from tests.harness.builders.order_executor import why
from tests.harness.builders.vault_orders import executor, put, stored_event


def named(envelope: Envelope, keyid: str) -> Envelope:
    """Return an envelope under another name, as its carrier could."""
    (signature,) = envelope.signatures
    renamed = (signature.model_copy(update={"keyid": keyid}),)
    return envelope.model_copy(update={"signatures": renamed})


def test_no_record_has_a_name_that_a_carrier_wrote_beside_the_signature() -> None:
    with executor("2of2_client_custody") as one:
        delivery = SecretDelivery.decode(put(share_for=FOR_CLIENT))
        lied = delivery.model_copy(update={"request": named(delivery.request, AGENT)})
        stored_event(one.send(lied.encode()))
        accesses = [SecretAccess.decode(record.value) for record in one.records]
        assert {use.operation for use in accesses} == {"put", "hand-over"}
        assert {use.actor for use in accesses} == {"admin-0"}


def test_a_box_serves_no_other_order() -> None:
    with executor() as one:
        first, second = put(), put(path="prod/other")
        moved = SecretDelivery.decode(second).model_copy(
            update={"box": SecretDelivery.decode(first).box}
        )
        assert "not have the digest in the order" in why(one.send(moved.encode()))


def test_an_order_in_another_partition_than_its_accounts_is_refused() -> None:
    with executor() as one:
        for partition in range(4):
            one.send(put(version=one.register.count + 1), partition=partition)
        assert one.register.count == 1
