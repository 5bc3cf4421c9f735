"""Recovery of a lost client share in the embedded pipeline, with crashes at any point."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.dsse import VAULT_ORDER_TYPE
from schemas.keys.recovery import RecoveryOrder
from schemas.record import Outgoing
from schemas.registry.custody import AGENT_KEYS, CustodyMode
from schemas.topics import Topic
from signer.custody.hpke import HpkeKey
from signer.stage.state import StateWrite
from streams.log.pipeline import PipelineLog
from tests.harness.judge.promises import check, in_folder
from tests.harness.pipeline.custody_organisation import (
    CustodyOrganisation,
    account_of,
    events_of_type,
    make_custody_organisation,
    now_ms,
    place,
)
from tests.harness.pipeline.custody_pipeline import running_pipeline, send, vault_of
from tests.harness.pipeline.embedded import KEY_PATH
from tests.harness.pipeline.embedded_fixtures import Crash

MODE: CustodyMode = "2of3_client_custody"
NEW_CLIENT = HpkeKey(b"n" * 32)


@pytest.fixture
def organised(tmp_path: Path) -> CustodyOrganisation:
    made = make_custody_organisation(tmp_path / "data")
    with running_pipeline(made) as pipeline:
        send(pipeline, *(order for order in made.orders() if order.key == account_of(MODE)))
    return made


def recovery(organised: CustodyOrganisation, **changes: Any) -> Outgoing:
    terms: dict[str, Any] = {
        "org": "acme",
        "account": account_of(MODE),
        "vault": AGENT_KEYS,
        "path": KEY_PATH,
        "version": 1,
        "share_for": f"0x{NEW_CLIENT.public_key.hex()}",
        "why": "a test lost it",
        "requested_at_ms": now_ms(),
        "registry_sequence": 0,
        "expires_at_ms": now_ms() + 600_000,
    }
    order = RecoveryOrder(**(terms | changes))
    raw = organised.folder.admin().sign_envelope(VAULT_ORDER_TYPE, order.encode()).encode()
    return Outgoing(Topic.KEY_REQUESTS, order.account, raw)


def recovered_keys(vault: Callable[[], list[bytes]]) -> list[dict[str, Any]]:
    return [
        event for event in events_of_type(vault, "secret.recovered") if event["vault"] == AGENT_KEYS
    ]


def new_share(vault: Callable[[], list[bytes]]) -> bytearray:
    (event,) = recovered_keys(vault)
    box = bytes.fromhex(event["client_share"][2:])
    return NEW_CLIENT.open(box, place(MODE).to_client())


def dying_at(commit: int, when: str) -> type[PipelineLog]:
    commits = count(1)

    class Dies(PipelineLog):
        def commit(
            self, events: Sequence[Outgoing], writes: Sequence[StateWrite], at_ms: int
        ) -> None:
            number = next(commits)
            if number == commit and when == "before":
                raise Crash
            super().commit(events, writes, at_ms)
            if number == commit:
                raise Crash

    return Dies


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("commit", range(1, 5))
def test_a_recovery_between_two_intents_is_done_once_after_any_crash(
    organised: CustodyOrganisation, commit: int, when: str
) -> None:
    """Intents decided with the old share are signed; later ones that carry it are rejected."""
    with running_pipeline(organised) as pipeline:
        vault = vault_of(pipeline)
        lost = organised.share(MODE, vault)
        before = organised.intent(
            MODE, "before", vault, client_share=organised.sent(MODE, lost, vault)
        )
    try:
        with running_pipeline(organised, dying_at(commit, when)) as pipeline:
            pipeline.inbox.append([before], 0)
            pipeline.drain()
            pipeline.inbox.append([recovery(organised)], 0)
            pipeline.drain()
    except Crash:
        pass
    with running_pipeline(organised) as pipeline:
        pipeline.drain()
        if not recovered_keys(vault_of(pipeline)):  # it crashed before that was sent
            send(pipeline, recovery(organised))
        vault = vault_of(pipeline)
        fresh = new_share(vault)
        late = organised.intent(MODE, "late", vault, client_share=organised.sent(MODE, lost, vault))
        assert send(pipeline, late) == ["client_share_wrong"]
        after = organised.intent(
            MODE, "after", vault, client_share=organised.sent(MODE, fresh, vault)
        )
        assert send(pipeline, after) == ["signed"]
    seen = check(in_folder(organised.folder.path), settled=True)
    assert len(seen.signed) == 2


def test_requests_approvals_and_results_of_recoveries_are_committed(
    organised: CustodyOrganisation,
) -> None:
    with running_pipeline(organised) as pipeline:
        send(pipeline, recovery(organised), recovery(organised, version=2))
        audits = [orjson.loads(e.value) for e in pipeline.committed if e.topic is Topic.AUDIT]
    actions = Counter(a["action"] for a in audits if a.get("action", "").startswith("recovery."))
    assert actions == {
        "recovery.asked": 2,
        "recovery.approved": 2,
        "recovery.done": 1,
        "recovery.refused": 1,
    }
