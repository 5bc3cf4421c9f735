"""Deliveries of webhooks to real receivers on loopback."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from sixgate.clocks import wall_ms
from sixgate.webhooks.destinations import DestinationRules
from sixgate.webhooks.errors import WebhookInvalidError, WebhookLimitError
from sixgate.webhooks.events import MESSAGE_SIGNED, TRANSACTION_REFUSED, TRANSACTION_SIGNED
from sixgate.webhooks.retries import GIVE_UP_MS
from sixgate.webhooks.store import ENDPOINTS_MAX, Changes
from streams.log.errors import LogError
from tests.harness.builders.waiting import WAIT_S_MAX, until
from tests.harness.webhooks.receiver import (
    ACCEPTED,
    FAILED,
    Received,
    always,
    in_turn,
    receiving,
    tls_contexts,
)
from tests.harness.webhooks.rig import PERSON, Rig

DAY_MS = 24 * 3_600_000


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    with closing(rig.store):
        yield rig


def ids(received: list[Received]) -> list[str]:
    return [request.headers["webhook-id"] for request in received]


def test_a_delivery_over_tls_is_verified_by_the_official_library(tmp_path: Path) -> None:
    server, client = tls_contexts(tmp_path / "ca", ["hook.example"])
    rig = Rig(tmp_path, tls=client)
    rig.now_ms = wall_ms()
    with receiving(always(ACCEPTED), server) as receiver, closing(rig.store):
        url = receiver.url("hook.example", "/in?tenant=7")
        _, secret = rig.webhooks.create(url, ["*"], None, PERSON)
        event = rig.source.add()
        rig.run()
        [request] = receiver.received
    assert secret is not None
    assert Webhook(secret).verify(request.body, request.headers)["data"] == event.data
    assert request.body == event.body()
    assert request.line == "POST /in?tenant=7 HTTP/1.1"
    assert request.headers["host"] == f"hook.example:{receiver.port}"
    assert request.headers["content-type"] == "application/json"
    assert receiver.server_names == ["hook.example"]


def test_the_next_checked_address_is_used_if_one_refuses_the_connection(tmp_path: Path) -> None:
    rules = DestinationRules((ip_network("127.0.0.0/8"),))
    rig = Rig(tmp_path, rules, lambda _host, _port: ["127.0.0.9", "127.0.0.1"])
    with receiving(always(ACCEPTED)) as receiver, closing(rig.store):
        rig.create(receiver.url("hook.example"))
        rig.source.add()
        rig.run()
        assert ids(receiver.received) == ["evt_1"]


def test_events_arrive_in_order_and_a_failed_one_again_with_its_id_and_body(rig: Rig) -> None:
    with receiving(in_turn([ACCEPTED, FAILED, FAILED, ACCEPTED])) as receiver:
        created = rig.create(receiver.url())
        for _ in range(3):
            rig.source.add()
        rig.run()
        assert ids(receiver.received) == ["evt_1", "evt_2"]
        rig.later(4_999)
        assert len(receiver.received) == 2
        state = rig.webhooks.get(created.id)
        assert (state.position, state.failures) == (1, 1)
        assert state.last_error == "the receiver answered with status 500"
        rig.later(1)
        rig.later(10_000)
    assert ids(receiver.received) == ["evt_1", "evt_2", "evt_2", "evt_2", "evt_3"]
    assert len({request.body for request in receiver.received}) == 3
    assert len({request.headers["webhook-signature"] for request in receiver.received[1:4]}) == 3
    state = rig.webhooks.get(created.id)
    assert (state.position, state.failures, state.last_error) == (3, 0, None)


def test_a_webhook_gets_events_from_its_creation_on_and_only_those_it_names(rig: Rig) -> None:
    rig.source.add(MESSAGE_SIGNED)
    with receiving(always(ACCEPTED)) as receiver:
        created = rig.create(receiver.url(), [TRANSACTION_REFUSED, MESSAGE_SIGNED])
        for name in (TRANSACTION_SIGNED, MESSAGE_SIGNED, TRANSACTION_REFUSED, TRANSACTION_SIGNED):
            rig.source.add(name)
        rig.run()
    assert ids(receiver.received) == ["evt_3", "evt_4"]
    assert rig.webhooks.get(created.id).position == 5


def test_more_events_than_one_page_are_delivered_once_each(rig: Rig) -> None:
    with receiving(always(ACCEPTED)) as receiver:
        rig.create(receiver.url())
        for _ in range(250):
            rig.source.add()
        rig.run()
    assert ids(receiver.received) == [event.id for event in rig.source.events]


def test_after_three_days_of_failures_a_webhook_is_disabled_with_a_reason(rig: Rig) -> None:
    with receiving(in_turn([FAILED, FAILED, ACCEPTED])) as receiver:
        created = rig.create(receiver.url())
        rig.source.add()
        rig.run()
        rig.later(GIVE_UP_MS)
        state = rig.webhooks.get(created.id)
        assert not state.is_active
        assert state.disabled_reason == (
            "an event could not be delivered for three days: the receiver answered with status 500"
        )
        rig.source.add()
        rig.later(DAY_MS)
        assert len(receiver.received) == 2
        enabled = rig.webhooks.update(created.id, Changes(is_active=True))
        assert enabled.disabled_reason is None
        rig.run()
    assert ids(receiver.received) == ["evt_1", "evt_1", "evt_1", "evt_2"]


def test_retries_take_three_days_and_are_few(rig: Rig) -> None:
    with receiving(always(FAILED)) as receiver:
        created = rig.create(receiver.url())
        rig.source.add()
        while rig.webhooks.get(created.id).is_active:
            rig.now_ms = max(rig.now_ms, rig.webhooks.get(created.id).next_attempt_ms)
            rig.run()
    assert set(ids(receiver.received)) == {"evt_1"}
    assert 15 <= len(receiver.received) <= 25


def test_the_status_gone_disables_a_webhook_at_once(rig: Rig) -> None:
    with receiving(always(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")) as receiver:
        created = rig.create(receiver.url())
        rig.source.add()
        rig.run()
    state = rig.webhooks.get(created.id)
    assert not state.is_active
    assert state.disabled_reason is not None
    assert "410" in state.disabled_reason


def test_a_replay_sends_the_events_after_an_offset_again_with_their_ids(rig: Rig) -> None:
    with receiving(always(ACCEPTED)) as receiver:
        created = rig.create(receiver.url())
        for _ in range(3):
            rig.source.add()
        rig.run()
        rig.webhooks.replay(created.id, 1)
        rig.run()
    assert ids(receiver.received) == ["evt_1", "evt_2", "evt_3", "evt_2", "evt_3"]
    for offset in (-1, 4):
        with pytest.raises(WebhookInvalidError, match="0 to 3"):
            rig.webhooks.replay(created.id, offset)


def test_a_slow_receiver_delays_only_its_own_events(rig: Rig) -> None:
    release = threading.Event()

    def hold(client: socket.socket, _request: Received) -> None:
        release.wait(WAIT_S_MAX)
        client.sendall(ACCEPTED)

    with receiving(hold) as slow, receiving(always(ACCEPTED)) as fast:
        rig.create(slow.url())
        rig.create(fast.url())
        for _ in range(3):
            rig.source.add()
        rig.deliveries.step()
        until(lambda: len(fast.received) == 3)
        assert len(slow.received) <= 1
        release.set()
        assert rig.deliveries.settle(WAIT_S_MAX)
    assert ids(slow.received) == ids(fast.received) == ["evt_1", "evt_2", "evt_3"]


def test_as_many_slow_receivers_as_possible_delay_no_other_one(rig: Rig) -> None:
    release = threading.Event()

    def hold(client: socket.socket, _request: Received) -> None:
        release.wait(WAIT_S_MAX)
        client.sendall(ACCEPTED)

    with receiving(hold) as slow, receiving(always(ACCEPTED)) as fast:
        for _ in range(ENDPOINTS_MAX - 1):
            rig.create(slow.url())
        rig.create(fast.url())
        with pytest.raises(WebhookLimitError):
            rig.create(fast.url())
        rig.source.add()
        rig.deliveries.step()
        until(lambda: len(slow.received) == ENDPOINTS_MAX - 1)
        until(lambda: len(fast.received) == 1)
        release.set()
        assert rig.deliveries.settle(WAIT_S_MAX)


@pytest.mark.parametrize("action", ["replay", "move", "pause", "delete", "new secret"])
def test_a_change_during_a_delivery_is_not_lost(rig: Rig, action: str) -> None:
    entered, release = threading.Event(), threading.Event()

    def hold(client: socket.socket, request: Received) -> None:
        if request.headers["webhook-id"] == "evt_2":
            entered.set()
            release.wait(WAIT_S_MAX)
        client.sendall(ACCEPTED)

    with receiving(hold) as old, receiving(always(ACCEPTED)) as new:
        created = rig.create(old.url())
        for _ in range(3):
            rig.source.add()
        rig.deliveries.step()
        assert entered.wait(WAIT_S_MAX)
        changes = {
            "move": Changes(url=new.url()),
            "pause": Changes(is_active=False),
            "new secret": Changes(secret="whsec_" + "bmV3" * 8),
        }
        if action == "replay":
            rig.webhooks.replay(created.id, 0)
        elif action == "delete":
            rig.webhooks.delete(created.id)
        else:
            rig.webhooks.update(created.id, changes[action])
        release.set()
        assert rig.deliveries.settle(WAIT_S_MAX)
        rig.run()
    sent = {
        "replay": (["evt_1", "evt_2", "evt_1", "evt_2", "evt_3"], []),
        "move": (["evt_1", "evt_2"], ["evt_2", "evt_3"]),
        "pause": (["evt_1", "evt_2"], []),
        "delete": (["evt_1", "evt_2"], []),
        "new secret": (["evt_1", "evt_2", "evt_2", "evt_3"], []),
    }[action]
    assert (ids(old.received), ids(new.received)) == sent


def test_a_delivery_whose_record_was_lost_is_repeated_with_its_id(tmp_path: Path) -> None:
    first = Rig(tmp_path)

    def end_process(client: socket.socket, _request: Received) -> None:
        first.store.close()  # the process ends between the success and its record
        client.sendall(ACCEPTED)

    with receiving(end_process) as receiver:
        first.create(receiver.url())
        first.source.add()
        first.deliveries.step()
        assert first.deliveries.settle(WAIT_S_MAX)
        with pytest.raises(LogError):
            first.deliveries.step()
        second = Rig(tmp_path)
        second.source.add()
        second.deliveries.step()
        assert second.deliveries.settle(WAIT_S_MAX)
    assert ids(receiver.received) == ["evt_1", "evt_1"]
    assert receiver.received[0].body == receiver.received[1].body


def test_the_thread_delivers_when_it_is_woken_and_stops(rig: Rig) -> None:
    failures: list[BaseException] = []
    with receiving(always(ACCEPTED)) as receiver:
        rig.create(receiver.url())
        rig.deliveries.start(failures.append)
        rig.source.add()
        rig.deliveries.wake()
        until(lambda: len(receiver.received) == 1)
        rig.deliveries.stop()
        rig.source.add()
    assert len(receiver.received) == 1
    assert failures == []


def test_a_store_that_fails_ends_the_thread_and_is_reported(rig: Rig) -> None:
    failures: list[BaseException] = []
    rig.store.close()
    rig.deliveries.start(failures.append)
    until(lambda: bool(failures))
    assert isinstance(failures[0], LogError)
    rig.deliveries.stop()
