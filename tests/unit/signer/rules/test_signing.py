from typing import Any

import pytest

from schemas.intents.reasons import Reason
from signer.core.account import Account
from signer.core.rules.decision import Rejected
from signer.core.rules.signing import decide, nonce_next
from tests.harness.builders.cases import (
    ACCOUNT,
    BASE,
    MAINNET,
    SECRET,
    address_of,
    agent,
    chain,
    facts,
    intent,
    key,
    policy,
    report,
    signed,
)

FRESH = Account(account=ACCOUNT)
OPEN = {"gas_limit": None, "max_fee_per_gas_wei": None, "max_priority_fee_per_gas_wei": None}


def reason(asked: Any = None, account: Account = FRESH, **changes: Any) -> Reason | None:
    decision = decide(asked or intent(), policy(), account, facts(**changes))
    return decision.reason if isinstance(decision, Rejected) else None


def used(nonce: int, chain_id: int = BASE, secret: bytes = SECRET) -> Account:
    done = signed(intent(), nonce=nonce, chain_id=chain_id, sender=address_of(secret))
    return FRESH.charged(done)


def test_a_key_must_exist_be_granted_and_open_in_this_order() -> None:
    stranger = agent(agent="bob")
    foreign = intent(agent="bob")
    assert reason() is None
    assert (
        reason(foreign, key=None, agent=stranger, key_problem=Reason.KEY_UNAVAILABLE)
        is Reason.KEY_UNKNOWN
    )
    assert (
        reason(foreign, agent=stranger, key_problem=Reason.KEY_UNAVAILABLE)
        is Reason.KEY_NOT_GRANTED
    )
    assert reason(key_problem=Reason.KEY_UNAVAILABLE) is Reason.KEY_UNAVAILABLE


@pytest.mark.parametrize(
    ("name", "path", "granted", "allowed"),
    [
        ("alice", "agents/alice/keys/hot", (), True),
        ("alice", "agents/alice2/keys/hot", (), False),
        ("alice2", "agents/alice/keys/hot", (), False),
        ("alice", "keys/hot", (), False),
        ("alice", "keys/hot", ("keys/hot",), True),
        ("alice", "keys/hot2", ("keys/hot",), False),
        ("bob", "agents/alice/keys/hot", ("agents/alice/keys/hot",), True),
        ("bob", "agents/alice/keys/cold", ("agents/alice/keys/hot",), False),
    ],
)
def test_a_key_path_of_another_agent_needs_a_grant_by_name(
    name: str,
    path: str,
    granted: tuple[str, ...],
    *,
    allowed: bool,
) -> None:
    asked = intent(agent=name, key_path=path)
    found = reason(asked, agent=agent(agent=name, key_paths=granted), key=key(path=path))
    assert found == (None if allowed else Reason.KEY_NOT_GRANTED)


@pytest.mark.parametrize(
    ("nonce", "account", "pending", "expected"),
    [
        (None, used(7), None, None),
        (0, FRESH, None, None),
        (1, FRESH, None, Reason.NONCE_TOO_HIGH),
        (7, used(7), None, Reason.NONCE_USED),
        (0, used(7), None, Reason.NONCE_USED),
        (8, used(7), None, None),
        (9, used(7), None, Reason.NONCE_TOO_HIGH),
        (64, FRESH, None, Reason.NONCE_TOO_HIGH),
        (2**53 - 1, FRESH, None, Reason.NONCE_TOO_HIGH),
        (6, FRESH, 5, Reason.NONCE_TOO_HIGH),
        (4, FRESH, 5, Reason.NONCE_USED),
        (5, FRESH, 5, None),
        (8, used(7), 5, None),
        (7, used(7), 5, Reason.NONCE_USED),
        (0, used(7, chain_id=MAINNET), None, None),
        (0, used(7, secret=b"\x02" * 32), None, None),
    ],
)
def test_an_explicit_nonce_must_be_the_next_one(
    nonce: int | None, account: Account, pending: int | None, expected: Reason | None
) -> None:
    simulated = report(intent(), pending_nonce=pending)
    assert reason(intent(nonce=nonce), account, simulation=simulated) == expected


@pytest.mark.parametrize(
    ("account", "pending", "expected"),
    [
        (FRESH, 64, None),
        (FRESH, 65, Reason.NONCE_TOO_HIGH),
        (FRESH, 2**32 - 1, Reason.NONCE_TOO_HIGH),
        (used(7), 72, None),
        (used(7), 73, Reason.NONCE_TOO_HIGH),
    ],
)
@pytest.mark.parametrize("explicit", [False, True])
def test_a_pending_nonce_far_above_the_next_one_is_rejected(
    account: Account, pending: int, expected: Reason | None, *, explicit: bool
) -> None:
    simulated = report(intent(), pending_nonce=pending)
    asked = intent(nonce=pending if explicit else None)
    assert reason(asked, account, simulation=simulated) == expected


def test_the_rejection_of_a_nonce_names_the_next_one() -> None:
    for nonce, side in ((7, "below"), (9, "above")):
        decision = decide(intent(nonce=nonce), policy(), used(7), facts())
        assert isinstance(decision, Rejected)
        assert f"nonce {nonce} is {side} the next one, 8:" in decision.detail


@pytest.mark.parametrize(
    ("account", "pending", "following"),
    [(FRESH, None, 0), (FRESH, 0, 0), (FRESH, 9, 9), (used(7), None, 8), (used(7), 9, 9)],
)
def test_the_next_nonce_is_above_used_ones_and_not_below_pending_ones(
    account: Account, pending: int | None, following: int
) -> None:
    known = facts(simulation=report(intent(), pending_nonce=pending))
    assert nonce_next(intent(), account, key(), known) == following
    if pending is None:
        assert nonce_next(intent(), account, key(), facts()) == following


def test_a_transaction_without_any_fee_source_is_rejected() -> None:
    assert reason(intent(**OPEN), chain=chain(default_fees=None)) is Reason.FEE_UNKNOWN
    assert reason(intent(**OPEN), chain=None) is Reason.FEE_UNKNOWN
    assert reason(intent(**OPEN)) is None
    assert reason(intent(data="0xaa", **OPEN)) is Reason.FEE_UNKNOWN
    assert reason(intent(to=None, **OPEN)) is Reason.FEE_UNKNOWN
