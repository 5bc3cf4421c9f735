"""The file of webhooks."""

import sqlite3
from pathlib import Path

import pytest

from signer.custody.errors import PrivateFileError
from sixgate.webhooks.errors import WebhookLimitError, WebhookNotFoundError
from sixgate.webhooks.store import ENDPOINTS_MAX, Changes, Endpoint, Failure, WebhookStore
from streams.log.errors import LogDamagedError

SECRET = "whsec_" + "c2VjcmV0" * 4
URL = "https://example.com/token-of-the-receiver"


@pytest.fixture
def store(tmp_path: Path) -> WebhookStore:
    return WebhookStore(tmp_path / "webhooks.db")


def endpoint(number: int = 1) -> Endpoint:
    return Endpoint(
        id=f"wh_{number}",
        url=URL,
        events=("*",),
        secret=SECRET,
        is_active=True,
        created_at_ms=number,
        created_by="user:owner",
        position=0,
    )


def failed(at_ms: int, reason: str | None = None) -> Failure:
    return Failure("broken", at_ms, at_ms + 5_000, reason)


def test_webhooks_and_positions_survive_a_restart(store: WebhookStore) -> None:
    store.add(endpoint())
    store.record_delivered(endpoint(), 7)
    store.close()
    again = WebhookStore(store.path)
    found = again.get("wh_1")
    assert (found.url, found.events, found.secret, found.position) == (URL, ("*",), SECRET, 7)


def test_the_secrets_are_in_private_files_only(store: WebhookStore) -> None:
    store.add(endpoint())
    files = [path for path in store.path.parent.iterdir() if SECRET.encode() in path.read_bytes()]
    assert files
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in store.path.parent.iterdir())


def test_a_file_that_others_can_read_is_refused(store: WebhookStore) -> None:
    store.close()
    store.path.chmod(0o640)
    with pytest.raises(PrivateFileError, match="chmod 600"):
        WebhookStore(store.path)


def test_a_link_or_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "target.db")
    with pytest.raises(PrivateFileError):
        WebhookStore(tmp_path / "link.db")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("PRAGMA user_version = 9")
    other.chmod(0o600)
    with pytest.raises(LogDamagedError, match="another version"):
        WebhookStore(other)
    other.write_bytes(b"not a database" * 100)
    with pytest.raises(LogDamagedError):
        WebhookStore(other)


def test_no_secret_and_no_url_is_in_a_text_of_a_webhook(store: WebhookStore) -> None:
    store.add(endpoint())
    texts = f"{store.get('wh_1')!r} {store.get('wh_1')} {Changes(url=URL, secret=SECRET)!r}"
    assert SECRET not in texts
    assert URL not in texts


def test_deleting_a_webhook_erases_its_secret_from_the_file(store: WebhookStore) -> None:
    store.add(endpoint())
    store.delete("wh_1")
    store.close()
    assert SECRET.encode() not in store.path.read_bytes()
    with pytest.raises(WebhookNotFoundError):
        WebhookStore(store.path).get("wh_1")


def test_the_number_of_webhooks_is_limited(store: WebhookStore) -> None:
    for number in range(ENDPOINTS_MAX):
        store.add(endpoint(number))
    with pytest.raises(WebhookLimitError, match=str(ENDPOINTS_MAX)):
        store.add(endpoint(ENDPOINTS_MAX))
    assert [found.id for found in store.all()] == [
        f"wh_{number}" for number in reversed(range(ENDPOINTS_MAX))
    ]


@pytest.mark.parametrize("webhook_id", ["", "wh_2", "wh_1' OR '1'='1", "%", "wh_1\x00"])
def test_an_unknown_id_is_an_error_of_one_printable_line(
    store: WebhookStore, webhook_id: str
) -> None:
    store.add(endpoint())
    for call in (store.get, store.delete, lambda found: store.change(found, Changes())):
        with pytest.raises(WebhookNotFoundError) as refusal:
            call(webhook_id)
        assert str(refusal.value).isprintable()
    assert len(store.all()) == 1


def test_failures_are_counted_until_a_success(store: WebhookStore) -> None:
    store.add(endpoint())
    store.record_failed(endpoint(), failed(10))
    store.record_failed(endpoint(), failed(20))
    found = store.get("wh_1")
    assert (found.failures, found.failing_since_ms, found.next_attempt_ms) == (2, 10, 5_020)
    assert store.due(5_019) == []
    assert store.due(5_020) == [found]
    store.record_delivered(endpoint(), 1)
    found = store.get("wh_1")
    assert (found.failures, found.failing_since_ms, found.last_error) == (0, None, None)


def test_results_of_deliveries_from_before_a_change_do_not_count(store: WebhookStore) -> None:
    store.add(endpoint())
    before = store.get("wh_1")
    assert store.is_current(before)
    store.change("wh_1", Changes(position=3))
    store.record_delivered(before, 9)
    store.record_failed(before, failed(10, "gone"))
    found = store.get("wh_1")
    assert (found.position, found.failures, found.is_active) == (3, 0, True)
    assert not store.is_current(before)


def test_a_disabled_webhook_has_a_reason_until_a_person_enables_it(store: WebhookStore) -> None:
    store.add(endpoint())
    store.record_failed(endpoint(), failed(10, "three days"))
    assert store.due(2**40) == []
    assert store.change("wh_1", Changes(url=URL)).disabled_reason == "three days"
    enabled = store.change("wh_1", Changes(is_active=True))
    assert (enabled.is_active, enabled.disabled_reason, enabled.failures) == (True, None, 0)
    assert store.due(0) == [enabled]
    paused = store.change("wh_1", Changes(is_active=False))
    assert (paused.is_active, paused.disabled_reason) == (False, None)
