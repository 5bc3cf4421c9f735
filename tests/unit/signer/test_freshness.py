"""Registry freshness: withheld records, wrong clocks, forged and replayed heads."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dsse import HEAD_TYPE, REGISTRY_HEAD_TYPE
from schemas.ledger.heads import LedgerHead, RegistryHead
from schemas.registry.records import AccountOpened
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from signer.stage.freshness import (
    HEAD_SKEW_MS_MAX,
    RegistryHeadError,
    RegistryHeads,
    RegistryStaleError,
    open_head,
    require_fresh,
    require_not_withheld,
)
from sixgate.services.registry_heads import next_head
from tests.harness.builders.cases import (
    MALLORY,
    NOW_MS,
    SIGNER,
    Operator,
    founded,
    registered,
    service,
)

REGISTRAR = Ed25519Signer("registrar-0", b"r" * 32)
SECOND = Ed25519Signer("registrar-1", b"q" * 32)


@pytest.fixture
def registry() -> Registry:
    return registered(service(REGISTRAR, "registrar"), service(SECOND, "registrar"))[1]


def longer(registry: Registry, operator: Operator) -> Registry:
    registry.apply(operator.write(AccountOpened(account="later")))
    return registry


def head(registry: Registry, **changes: Any) -> RegistryHead:
    terms: dict[str, Any] = {
        "org": registry.org,
        "sequence": registry.record_count - 1,
        "digest": registry.last_digest,
        "at_ms": NOW_MS,
        "valid_until_ms": NOW_MS + HEAD_SKEW_MS_MAX,
    }
    return RegistryHead(**(terms | changes))


def sealed(
    one: RegistryHead, by: Ed25519Signer = REGISTRAR, kind: str = REGISTRY_HEAD_TYPE
) -> bytes:
    return by.sign_envelope(kind, one.encode()).encode()


def test_a_current_head_of_all_records_is_fresh(registry: Registry) -> None:
    heads = RegistryHeads()
    raw = next_head(REGISTRAR, registry, [], NOW_MS)
    heads.add(raw, registry, NOW_MS)
    assert heads.nearest(registry, NOW_MS) == head(registry)


OTHER_ORG = {"org": "other"}
ROWS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no record is missing and the time is right": ({}, 0, ""),
    "the head is as old as it may be": ({}, HEAD_SKEW_MS_MAX, ""),
    "this clock is as far behind as it may be": ({}, -HEAD_SKEW_MS_MAX, ""),
    "the head is older, or this clock an hour ahead": (
        {},
        HEAD_SKEW_MS_MAX + 1,
        "30 s old",
    ),
    "this clock is an hour behind": ({}, -3_600_000, "3600 s ahead"),
    "this clock is a little too far behind": ({}, -HEAD_SKEW_MS_MAX - 1, " s ahead"),
    "the registrar gave it less time": ({"valid_until_ms": NOW_MS + 5}, 6, "0 s old"),
    "the registrar gave it a year": ({"valid_until_ms": 2**50}, HEAD_SKEW_MS_MAX + 1, "30 s old"),
    "the last record is withheld": ({"sequence": 9}, 0, "10 records, but only 9 "),
    "another record is in its place": ({"digest": "0x" + "11" * 32}, 0, "record 8"),
}


@pytest.mark.parametrize(("changes", "after_ms", "because"), ROWS.values(), ids=ROWS)
def test_a_head_reveals_withheld_records_and_wrong_clocks(
    registry: Registry, changes: dict[str, Any], after_ms: int, because: str
) -> None:
    one, now_ms = head(registry, **changes), NOW_MS + after_ms

    def doubt() -> str:
        try:
            require_not_withheld(one, registry)
            require_fresh(one, now_ms)
        except RegistryStaleError as error:
            return str(error)
        return ""

    assert (because in doubt()) if because else doubt() == ""
    assert not because or "Nothing was consumed" in doubt()


def test_a_head_older_than_the_newest_records_is_valid() -> None:
    operator, registry = registered(service(REGISTRAR, "registrar"))
    before = head(registry)
    require_not_withheld(before, longer(registry, operator))


FORGED: dict[str, Callable[[Registry], bytes]] = {
    "signed by an unregistered key": lambda r: sealed(head(r), MALLORY),
    "signed by another service": lambda r: sealed(head(r), SIGNER),
    "signed under a registrar's name": lambda r: sealed(
        head(r), Ed25519Signer(REGISTRAR.keyid, b"m" * 32)
    ),
    "of another organisation": lambda r: sealed(head(r, **OTHER_ORG)),
    "signed as something else": lambda r: sealed(head(r), kind=HEAD_TYPE),
    "a head of the ledger": lambda r: REGISTRAR.sign_envelope(
        REGISTRY_HEAD_TYPE,
        LedgerHead(org=r.org, chain="main", sequence=0, hash=r.last_digest, at_ms=NOW_MS).encode(),
    ).encode(),
    "garbage": lambda _: b"garbage",
    "nothing": lambda _: b"",
    "changed after it was signed": lambda r: sealed(head(r)).replace(b'"sig":"', b'"sig":"AAAA'),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_forged_head_is_ignored(registry: Registry, forge: Callable[[Registry], bytes]) -> None:
    heads, raw = RegistryHeads(), forge(registry)
    with pytest.raises(RegistryHeadError):
        open_head(raw, registry)
    heads.add(raw, registry, NOW_MS)
    with pytest.raises(RegistryStaleError, match="start sixgate registrar"):
        heads.nearest(registry, NOW_MS)
    heads.add(sealed(head(registry)), registry, NOW_MS)
    heads.add(raw, registry, NOW_MS)
    assert heads.nearest(registry, NOW_MS) == head(registry)


def test_a_replayed_head_does_not_replace_the_newest(registry: Registry) -> None:
    heads, old = RegistryHeads(), head(registry, at_ms=NOW_MS - 3_600_000)
    for one in (head(registry), old):
        heads.add(sealed(one), registry, NOW_MS)
    assert heads.nearest(registry, NOW_MS) == head(registry)


def test_a_head_from_the_future_is_replaced_by_the_next_one(
    registry: Registry,
) -> None:
    heads, ahead = RegistryHeads(), head(registry, at_ms=NOW_MS + 3_600_000, valid_until_ms=2**50)
    heads.add(sealed(ahead), registry, NOW_MS)
    with pytest.raises(RegistryStaleError, match="3600 s ahead"):
        heads.nearest(registry, NOW_MS)
    heads.add(sealed(head(registry)), registry, NOW_MS)
    assert heads.nearest(registry, NOW_MS) == head(registry)


def test_one_registrar_with_a_correct_clock_is_enough(registry: Registry) -> None:
    heads = RegistryHeads()
    for by, at_ms in ((REGISTRAR, NOW_MS + 3_600_000), (SECOND, NOW_MS)):
        one = head(registry, at_ms=at_ms, valid_until_ms=at_ms + HEAD_SKEW_MS_MAX)
        heads.add(sealed(one, by), registry, NOW_MS)
    assert heads.nearest(registry, NOW_MS).at_ms == NOW_MS


def test_one_registrar_with_a_longer_registry_is_enough_to_halt(registry: Registry) -> None:
    heads = RegistryHeads()
    heads.add(sealed(head(registry, sequence=9, at_ms=NOW_MS - 20_000)), registry, NOW_MS)
    heads.add(sealed(head(registry), SECOND), registry, NOW_MS)
    with pytest.raises(RegistryStaleError, match=r"10 records.*\b9 "):
        heads.nearest(registry, NOW_MS)


def test_revoking_a_registrar_revokes_its_heads() -> None:
    operator, registry = registered(service(REGISTRAR, "registrar"), service(SECOND, "registrar"))
    heads = RegistryHeads()
    heads.add(sealed(head(registry, sequence=2**40)), registry, NOW_MS)
    heads.add(sealed(head(registry), SECOND), registry, NOW_MS)
    registry.apply(operator.write(service(REGISTRAR, "registrar", active=False)))
    assert heads.nearest(registry, NOW_MS).at_ms == NOW_MS
    registry.apply(operator.write(service(SECOND, "registrar", active=False)))
    with pytest.raises(RegistryStaleError, match="services add registrar-0"):
        heads.nearest(registry, NOW_MS)


def test_heads_signed_by_a_replaced_key_are_ignored() -> None:
    operator, registry = registered(service(REGISTRAR, "registrar"))
    heads, again = RegistryHeads(), Ed25519Signer(REGISTRAR.keyid, b"n" * 32)
    heads.add(sealed(head(registry, at_ms=NOW_MS + 20_000)), registry, NOW_MS)
    registry.apply(operator.write(service(again, "registrar")))
    with pytest.raises(RegistryStaleError):
        heads.nearest(registry, NOW_MS)
    heads.add(sealed(head(registry), again), registry, NOW_MS)
    assert heads.nearest(registry, NOW_MS).at_ms == NOW_MS


def test_an_empty_registry_names_the_next_command() -> None:
    for act in (
        lambda: RegistryHeads().nearest(Registry("0x" + "11" * 32), NOW_MS),
        lambda: next_head(REGISTRAR, Registry("0x" + "11" * 32), [], NOW_MS),
    ):
        with pytest.raises(RegistryStaleError, match="run sixgate publish"):
            act()


def test_a_registrar_that_is_not_registered_signs_nothing() -> None:
    _, registry = founded()
    with pytest.raises(RegistryStaleError, match="services add registrar-0"):
        next_head(REGISTRAR, registry, [], NOW_MS)


@pytest.mark.parametrize(
    ("changes", "because"),
    [({"sequence": 9}, r"10 records.*\b9 "), ({"digest": "0x" + "11" * 32}, "record 8")],
)
def test_a_registrar_signs_no_head_shorter_than_a_published_one(
    registry: Registry, changes: dict[str, Any], because: str
) -> None:
    with pytest.raises(RegistryStaleError, match=because):
        next_head(SECOND, registry, [head(registry, **changes)], NOW_MS)


@given(
    st.lists(
        st.tuples(st.sampled_from([REGISTRAR, SECOND]), st.integers(-90_000, 90_000)), max_size=8
    ),
    st.integers(-90_000, 90_000),
)
def test_replayed_heads_in_any_order_never_make_an_old_head_fresh(
    signed: list[tuple[Ed25519Signer, int]], after_ms: int
) -> None:
    _, registry = registered(service(REGISTRAR, "registrar"), service(SECOND, "registrar"))
    heads, now_ms = RegistryHeads(), NOW_MS + after_ms
    for by, at in signed:
        one = head(registry, at_ms=NOW_MS + at, valid_until_ms=NOW_MS + at + HEAD_SKEW_MS_MAX)
        heads.add(sealed(one, by), registry, now_ms)
    young = [at for _, at in signed if abs(after_ms - at) <= HEAD_SKEW_MS_MAX]
    try:
        assert heads.nearest(registry, now_ms).at_ms - NOW_MS in young
    except RegistryStaleError:
        newest = {by.keyid: at for by, at in sorted(signed, key=lambda one: one[1])}
        assert not any(at in young for at in newest.values() if at <= after_ms + HEAD_SKEW_MS_MAX)
