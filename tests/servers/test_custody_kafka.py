"""Vaults of every custody mode on a real broker: kills of the signer and lost providers."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from schemas.registry.custody import CustodyMode
from schemas.topics import Topic
from signer.custody.custody_modes import PLANS
from tests.harness.judge.promises import check
from tests.harness.pipeline.custody_organisation import (
    HOLDERS_NEEDED,
    MODES,
    CustodyOrganisation,
    make_custody_organisation,
)
from tests.harness.pipeline.scaled import SETTLE_S_MAX, Scaled, on_kafka, without_ledger

SAID = {
    "key.provisioned": len(MODES),
    "secret.stored": 2 * len(MODES),
    "vault.key.changed": 4,
    "secret.rewrapped": 6,
    "secret.recovered": 1,
    "share.key.announced": len(MODES),
}
KILLS = 4
HOLDERS_DOWN = ("aws", "gcp")


@pytest.fixture
def scaled(tmp_path: Path) -> Iterator[tuple[Scaled, CustodyOrganisation]]:
    organised = make_custody_organisation(tmp_path / "data")
    with without_ledger(organised.folder) as scaled:
        yield scaled, organised


def vault(scaled: Scaled) -> list[bytes]:
    return on_kafka(scaled.broker)(Topic.VAULT)


def event_counts(scaled: Scaled) -> Counter[str]:
    events = [orjson.loads(raw) for raw in vault(scaled)]
    assert len({event["id"] for event in events}) == len(events), "something was said twice"
    return Counter(event["type"] for event in events)


def await_said(scaled: Scaled) -> None:
    ends_at_s = time.monotonic() + SETTLE_S_MAX
    while (found := event_counts(scaled)) != SAID:
        assert scaled.processes["signer"].poll() is None, scaled.log("signer")
        assert time.monotonic() < ends_at_s, (found, scaled.log("signer"))
        time.sleep(0.5)


def results_of_all_modes(
    scaled: Scaled, organised: CustodyOrganisation, key: str
) -> dict[CustodyMode, str]:
    """Submit one intent per mode; return ``signed`` or the reason of each."""
    before = len(scaled.contents().outcomes)
    scaled.send([organised.intent(mode, key, lambda: vault(scaled)) for mode in MODES])
    found = scaled.settle(lambda found: len(found.outcomes) == before + len(MODES))
    by_agent = {organised.traders[mode].signer.keyid: mode for mode in MODES}
    newest = [one for one in found.outcomes if one["idempotency_key"] == key]
    return {by_agent[one["agent"]]: one.get("reason", "signed") for one in newest}


def test_every_mode_survives_kills_and_the_promised_lost_providers(
    scaled: tuple[Scaled, CustodyOrganisation],
) -> None:
    organisation, organised = scaled
    orders = list(organised.orders())
    organisation.start("gates")
    for number in range(KILLS):
        organisation.start("signer")
        organisation.await_ready("signer")
        organisation.send(
            orders[number * len(orders) // KILLS : (number + 1) * len(orders) // KILLS]
        )
        time.sleep(0.05 * number)  # each kill comes later in the sequence of orders
        organisation.kill("signer")
    organisation.start("signer")
    organisation.await_ready("signer")
    await_said(organisation)
    assert set(results_of_all_modes(organisation, organised, "all").values()) == {"signed"}
    for down, name in enumerate(HOLDERS_DOWN, 1):
        organisation.stop("signer")
        (organised.folder.holder_keys / f"{name}.key").unlink()
        organisation.start("signer")
        organisation.await_ready("signer")
        left = {mode: max(0, PLANS[mode].providers - down) for mode in MODES}
        assert results_of_all_modes(organisation, organised, f"without-{name}") == {
            mode: "signed" if left[mode] >= HOLDERS_NEEDED[mode] else "key_unavailable"
            for mode in MODES
        }
    check(on_kafka(organisation.broker), settled=True)
    failed = [raw for raw in organisation.audit() if b'"action":"provider.failed"' in raw]
    assert any(b"aws (not_configured)" in raw for raw in failed)
    organisation.stop_all()
