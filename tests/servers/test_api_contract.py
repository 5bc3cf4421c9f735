"""The contract of ``Api``, tested on an embedded node and on Kafka with real servers."""

import base64
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from schemas.dsse import HEAD_TYPE
from schemas.intents.intent import EXPIRY_MS_MAX, TransactionIntent
from schemas.registry.records import AccountOpened
from signer.custody.event_signing import Ed25519Signer
from sixgate.api import Api, ApiError, Json
from sixgate.api.operator.connection import connect
from sixgate.authoring import operator
from sixgate.backends.kafka.backend import open_kafka_api
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder
from tests.harness.builders.waiting import until
from tests.harness.cli.clients import record, results, submit, verified
from tests.harness.pipeline.embedded import (
    ACCOUNT,
    KEY_PATH,
    STRANGER,
    Producer,
    agent_entry,
    make_folder,
)
from tests.harness.pipeline.scaled_organisation import scaled_organisation

NOW_MS = wall_ms()  # because orders expire
TRADER = Producer(Ed25519Signer("trader", secrets.token_bytes(32)))


@pytest.fixture(scope="module", params=["embedded", "scaled"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Api, Folder]]:
    path = tmp_path_factory.mktemp(request.param)
    if request.param == "embedded":
        folder = make_folder(path / "data", [TRADER.signer])
        with connect(folder.path) as api:
            yield api, folder
    else:
        with (
            scaled_organisation(path, [TRADER.signer]) as organised,
            open_kafka_api(organised.settings, organised.folder) as api,
        ):
            yield api, organised.folder


@pytest.fixture
def api(served: tuple[Api, Folder]) -> Api:
    return served[0]


@pytest.fixture
def folder(served: tuple[Api, Folder]) -> Folder:
    return served[1]


def new() -> str:
    """Return an idempotency key, or a name, that no other test has."""
    return uuid4().hex


def signed_count(api: Api) -> int:
    return len(list(api.signed(after=0, follow=False)))


def code_of(caught: "pytest.ExceptionInfo[ApiError]") -> str:
    assert "\n" not in str(caught.value)
    return caught.value.code


def test_every_submitted_record_gets_its_result(api: Api) -> None:
    key = new()
    first = TRADER.signed(key)
    changed, refused = TRADER.signed(key, value_wei=1), TRADER.signed(new(), to=STRANGER)
    before = verified(api)["outcomes"]
    ends = submit(api, first, first, changed, b"no", refused)
    assert results(ends) == [
        "signed",
        "signed",
        "idempotency_conflict",
        "malformed",
        "recipient_not_allowed",
    ]
    assert [end["repeated"] for end in ends] == [False, True, False, False, False]
    assert verified(api)["outcomes"] == before + 3


def test_a_late_duplicate_gets_the_first_result(api: Api) -> None:
    value = TRADER.signed(new())
    (first,), (again,) = submit(api, value), submit(api, value)
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert again["intent"] == first["intent"]
    assert again["result"]["id"] == first["result"]["id"]
    assert again["result"]["signature"] == first["result"]["signature"]


def test_the_same_request_again_gets_the_first_result(api: Api) -> None:
    key, later_ms = new(), TRADER.now_ms() + 700_000
    first, repetition = TRADER.signed(key), TRADER.signed(key, expires_at_ms=later_ms)
    (before,), (again,) = submit(api, first), submit(api, repetition)
    assert (before["repeated"], again["repeated"]) == (False, True)
    assert again["intent"] == before["intent"]
    assert again["result"]["id"] == before["result"]["id"]
    together = submit(api, TRADER.signed(key, expires_at_ms=later_ms + 1), repetition, first)
    assert [end["result"]["id"] for end in together] == [before["result"]["id"]] * 3
    assert all(end["repeated"] for end in together)


def test_a_request_and_its_repetition_in_one_batch_get_one_result(api: Api) -> None:
    key, later_ms = new(), TRADER.now_ms() + 700_000
    repetitions = [TRADER.signed(key, expires_at_ms=later_ms + n) for n in range(3)]
    count = signed_count(api)
    ends = submit(api, *repetitions)
    assert len({end["result"]["id"] for end in ends}) == 1
    assert [end["repeated"] for end in ends] == [False, True, True]
    assert signed_count(api) == count + 1


def test_a_repeated_refusal_is_the_first_refusal(api: Api) -> None:
    key, later_ms = new(), TRADER.now_ms() + 700_000
    (first,) = submit(api, TRADER.signed(key, to=STRANGER))
    (again,) = submit(api, TRADER.signed(key, to=STRANGER, expires_at_ms=later_ms))
    assert again["repeated"]
    assert again["result"] == first["result"]


def test_intents_are_found_by_their_idempotency_key(api: Api) -> None:
    key = new()
    (first,), _ = submit(api, TRADER.signed(key)), submit(api, TRADER.signed(new()))
    # It expires after the signer may forget the first one, so a node records it, too.
    repetition = TRADER.signed(key, expires_at_ms=TRADER.now_ms() + EXPIRY_MS_MAX)
    submit(api, repetition, TRADER.signed(key, value_wei=5))
    rows = api.intents(limit=9, account=None, agent="trader", idempotency_key=key)
    assert sorted((row["outcome"], row["repeats"]) for row in rows) == [
        ("intent.rejected", ""),
        ("repeated", first["intent"]),
        ("transaction.signed", ""),
    ]
    assert api.intents(limit=9, account=ACCOUNT, agent=None, idempotency_key=key) == rows
    assert api.intents(limit=9, account=None, agent="nobody", idempotency_key=key) == []
    assert api.intents(limit=9, account=None, agent=None, idempotency_key=new()) == []
    again = next(row["intent"] for row in rows if row["repeats"])
    assert api.trail(again)[0]["event"] != api.trail(first["intent"])[0]["event"]
    assert [event for event in api.trail(again) if event["topic"] == "outcomes"] == [
        event for event in api.trail(first["intent"]) if event["topic"] == "outcomes"
    ]
    waiting = api.sql("SELECT count() FROM intents WHERE outcome = 'pending'")
    assert waiting["rows"] == [[0]]


def test_a_record_on_a_wrong_partition_ends_as_misrouted(api: Api) -> None:
    value = TRADER.signed(new())
    _, end = api.submit([record(value, "somebody-else")], wait=True)
    assert results([end]) == ["misrouted"]
    assert results(submit(api, value)) == ["signed"]


def test_without_waiting_an_intent_is_accepted_and_decided_later(api: Api) -> None:
    count = signed_count(api)
    assert list(api.submit([record(TRADER.signed(new()))], wait=False)) == [
        {"accepted": 1, "refused": 0}
    ]
    assert results(submit(api, TRADER.signed(new()))) == ["signed"]
    assert signed_count(api) == count + 2
    until(lambda: api.status()["waiting"] == 0)


@pytest.mark.parametrize(
    "bad", [{"key": "k" * 64, "value": ""}, {"key": ACCOUNT}, {}, {"value": 1}]
)
def test_an_invalid_record_is_refused_and_nothing_is_sent(api: Api, bad: Json) -> None:
    before = api.head()["head"]["sequence"]
    with pytest.raises(ApiError) as caught:
        list(api.submit([record(TRADER.signed(new())), bad], wait=True))
    assert code_of(caught) == "request_malformed"
    assert api.head()["head"]["sequence"] == before


def test_a_registered_record_is_visible_at_once(api: Api, folder: Folder) -> None:
    account = f"a{new()[:20]}"
    operator.register(api, folder.admin(), [AccountOpened(account=account)], NOW_MS)
    assert account in api.registry()["accounts"]


def test_a_registration_by_an_unknown_key_is_refused_and_not_appended(api: Api) -> None:
    before = api.registry()["sequence"]
    stranger = Ed25519Signer("admin-0", secrets.token_bytes(32))
    with pytest.raises(ApiError, match="admin key") as caught:
        operator.register(api, stranger, [AccountOpened(account="third")], NOW_MS)
    assert code_of(caught) == "registry_refused"
    with pytest.raises(ApiError, match="malformed"):
        api.register(base64.b64encode(b"{}").decode())
    assert api.registry()["sequence"] == before


def test_a_registration_twice_is_refused(api: Api, folder: Folder) -> None:
    now = api.registry()
    entry = AccountOpened(account=f"a{new()[:20]}")
    raw, _ = operator.record_envelope(
        folder.admin(), now["org"], (now["sequence"], now["head"]), entry, NOW_MS
    )
    envelope = base64.b64encode(raw).decode()
    assert api.register(envelope) == {"sequence": now["sequence"]}
    with pytest.raises(ApiError, match=f"record {now['sequence']}"):
        api.register(envelope)


def provision(
    api: Api, folder: Folder, path: str, account: str = ACCOUNT, at_ms: int = NOW_MS
) -> Json:
    admin = operator.Admin(api, folder.admin(), at_ms)
    return operator.provision(admin, operator.KeyTarget(account, path))


def test_a_key_is_made_once_and_never_shown(api: Api, folder: Folder) -> None:
    path = f"keys/k{new()[:20]}"
    key = provision(api, folder, path)
    assert set(key) == {
        "account", "path", "vault", "version", "chain", "state", "imported", "address", "public_key"
    }  # fmt: skip
    assert key in api.registry()["keys"]
    assert provision(api, folder, path) == key  # the very same order
    with pytest.raises(ApiError, match="already") as caught:
        provision(api, folder, path, at_ms=NOW_MS + 1)
    assert code_of(caught) == "key_refused"
    with pytest.raises(ApiError, match="nobodys"):
        provision(api, folder, path, account="nobodys")


def test_a_new_record_and_a_new_key_apply_to_the_next_intent(api: Api, folder: Folder) -> None:
    path = f"keys/k{new()[:20]}"
    key = provision(api, folder, path)
    assert results(submit(api, TRADER.signed(new(), key_path=path))) == ["key_not_granted"]
    granted = agent_entry(TRADER.signer, key_paths=(KEY_PATH, path))
    operator.register(api, folder.admin(), [granted], NOW_MS)
    (end,) = submit(api, TRADER.signed(new(), key_path=path))
    assert end["result"].get("sender") == key["address"]


def test_following_shows_later_transactions(api: Api) -> None:
    start = list(api.signed(after=0, follow=False))[-1:]
    seen: list[Json] = []
    after = start[0]["position"] if start else 0
    follower = threading.Thread(
        target=lambda: seen.append(next(iter(api.signed(after=after, follow=True))))
    )
    follower.start()
    (end,) = submit(api, TRADER.signed(new()))
    follower.join(30)
    assert seen[0]["event"] == end["result"]
    assert seen[0]["event"]["raw_transaction"].startswith("0x02")


def test_all_signed_transactions_are_listed(api: Api) -> None:
    before = signed_count(api)
    submit(api, *(TRADER.signed(new()) for _ in range(510)))
    found = list(api.signed(after=0, follow=False))
    assert len(found) == before + 510
    events = [item["event"] for item in found]
    nonces = [event["nonce"] for event in events if event["key_path"] == KEY_PATH]
    assert nonces == sorted(nonces)
    assert list(api.signed(after=found[-2]["position"], follow=False)) == found[-1:]
    assert list(api.signed(after=found[-1]["position"], follow=False)) == []


@pytest.mark.parametrize("position", ["1", "1.2", "x", "9.9.9.9", "-1.0.0.0", "²"])
def test_an_invalid_position_is_refused(api: Api, position: str) -> None:
    with pytest.raises(ApiError) as caught:
        list(api.signed(after=position, follow=False))
    assert code_of(caught) == "position_unknown"


def test_a_trail_is_found_by_a_prefix_of_its_digests(api: Api) -> None:
    (end,) = submit(api, TRADER.signed(new()))
    trail = api.trail(end["intent"])
    topics = [event["topic"] for event in trail]
    assert topics[0] == "intents.submitted"
    assert {"intents.admitted", "intents.decided", "outcomes", "transactions.signed"} <= set(topics)
    assert api.trail(end["result"]["transaction_hash"]) == trail
    with pytest.raises(ApiError) as caught:
        api.trail("0xffff" * 10)
    assert code_of(caught) == "intent_unknown"
    newest = api.intents(limit=1, account=ACCOUNT, agent="trader")
    assert newest[0]["intent"] == end["intent"]


def test_budgets_include_the_newest_signature(api: Api) -> None:
    (before,) = api.budgets()
    intent = TransactionIntent.decode(TRADER.intent(new(), value_wei=7).encode())
    assert results(submit(api, TRADER.signed(new(), value_wei=intent.value_wei))) == ["signed"]
    (after,) = api.budgets()
    assert int(after["spent_wei"]) == int(before["spent_wei"]) + 7
    assert int(after["left_wei"]) == int(before["left_wei"]) - 7
    assert after["agent"] == "trader"


def test_a_remembered_head_verifies(api: Api) -> None:
    submit(api, TRADER.signed(new()))
    head = api.head()
    assert head["head"]["sequence"] == api.status()["ledger_rows"] - 1
    submit(api, TRADER.signed(new()))
    found = verified(api, head["envelope"])
    assert found["remembered"] == head["head"]["sequence"]
    assert found["heads"] > 1
    assert found["forged"] == 0
    with pytest.raises(ApiError) as caught:
        verified(api, {"payload": "x"})
    assert code_of(caught) == "head_malformed"


def test_a_head_signed_by_another_key_is_refused(api: Api) -> None:
    submit(api, TRADER.signed(new()))
    body = base64.b64decode(api.head()["envelope"]["payload"])
    forged = Ed25519Signer("ledger-0", secrets.token_bytes(32)).sign_envelope(HEAD_TYPE, body)
    with pytest.raises(ApiError) as caught:
        verified(api, forged.plain())
    assert code_of(caught) in ("ledger_wrong", "head_malformed")


def test_amounts_beyond_64_bits_are_exact_in_sql(api: Api) -> None:
    found = api.sql("SELECT toUInt256('20000000000000000000') AS wei, [toInt128(-1)], 7, nan")
    assert found["rows"][0][:-1] == ["20000000000000000000", ["-1"], 7]
    assert found["columns"][0] == "wei"


@pytest.mark.parametrize("query", ["DROP TABLE ledger", "SELECT * FROM url('http://x')", "SELEC"])
def test_sql_that_does_not_only_read_is_refused(api: Api, query: str) -> None:
    with pytest.raises(ApiError) as caught:
        api.sql(query)
    assert caught.value.code == "sql_refused"


def test_an_export_holds_every_row(api: Api, tmp_path: Path) -> None:
    submit(api, TRADER.signed(new()))
    *_, done = api.export(str(tmp_path / "all.jsonl"), form="jsonl", since_ms=0, until_ms=2**52)
    assert done["rows"] == api.status()["ledger_rows"]
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == done["rows"]
    with pytest.raises(ApiError) as caught:
        list(api.export("/proc/none/all.csv", form="csv", since_ms=0, until_ms=1))
    assert code_of(caught) == "export_failed"


def test_the_status_names_the_organisation(api: Api) -> None:
    status = api.status()
    assert status["org"] == "acme"
    assert status["started_at_ms"] > 0
