"""Authorizations (EIP-7702) use nonces of their address, like transactions."""

from typing import Any

import pytest

from schemas.intents.intent import AnyIntent, AuthorizationIntent
from schemas.intents.outcome import IntentRejected, MessageSigned, TransactionSigned
from schemas.intents.reasons import Reason
from signer.core.account import Account
from signer.core.decide import Duplicate
from signer.core.rules.signing import ANY_CHAIN_MAX
from tests.harness.builders.cases import (
    ACCOUNT,
    BASE,
    COMMON,
    MAINNET,
    SECRET,
    STRANGER,
    address_of,
    case,
    chain,
    intent,
    policy,
    report,
)
from tests.harness.builders.signer_records import judge

FRESH = Account(account=ACCOUNT)
OPEN = policy(delegate_allowlist=(STRANGER,), allow_any_chain_delegation=True)
EVERY_CHAIN = 0


def delegation(**changes: Any) -> AuthorizationIntent:
    return AuthorizationIntent(**(COMMON | {"delegate": STRANGER} | changes))


def after(*row: AnyIntent, account: Account = FRESH) -> tuple[Account, list[int | Reason | None]]:
    """Decide intents; return the account, and each intent's nonce or reason.

    The account is encoded and decoded after each intent.
    """
    found: list[int | Reason | None] = []
    for one in row:
        known = chain(chain_id=one.chain_id) if one.chain_id else None
        judged = judge(case(one, OPEN, chain=known), account)
        assert not isinstance(judged, Duplicate)
        account = Account.decode(judged.account.encode())
        pinned = judged.live.pinned
        assert isinstance(pinned, TransactionSigned | MessageSigned | IntentRejected)
        found.append(pinned.reason if isinstance(pinned, IntentRejected) else pinned.nonce)
    return account, found


def test_an_authorization_uses_the_next_nonce_like_a_transaction() -> None:
    _, nonces = after(intent(), delegation(), intent(), delegation(), delegation(), intent())
    assert nonces == [0, 1, 2, 3, 4, 5]


def test_a_transaction_may_carry_an_authorization_of_its_own_address() -> None:
    account, nonces = after(intent(), delegation(nonce=2), intent(), intent())
    assert nonces == [0, 2, 1, 3]
    assert account.ahead is None


def test_only_one_authorization_may_follow_the_next_transaction() -> None:
    _, nonces = after(delegation(nonce=1), delegation(nonce=1), delegation(nonce=2), delegation())
    assert nonces == [1, Reason.NONCE_TOO_HIGH, Reason.NONCE_TOO_HIGH, 0]


@pytest.mark.parametrize(
    ("nonce", "expected"),
    [(1, Reason.NONCE_USED), (2, 2), (3, 3), (4, Reason.NONCE_TOO_HIGH)],
)
def test_an_explicit_nonce_is_the_next_one_or_the_one_after_it(
    nonce: int, expected: int | Reason
) -> None:
    account, _ = after(intent(), intent())
    assert after(delegation(nonce=nonce), account=account)[1] == [expected]


def test_an_authorization_for_every_chain_uses_its_nonce_on_each_of_them() -> None:
    account, nonces = after(intent(), intent(), delegation(chain_id=EVERY_CHAIN))
    assert nonces == [0, 1, 2]
    mainnet = intent(chain_id=MAINNET)
    assert after(mainnet, mainnet, mainnet, mainnet, account=account)[1] == [0, 1, 3, 4]
    assert after(intent(), account=account)[1] == [3]


def test_an_authorization_for_every_chain_gets_a_nonce_that_is_free_on_all() -> None:
    account, _ = after(intent(), delegation(nonce=2), intent(chain_id=MAINNET))
    assert after(delegation(chain_id=EVERY_CHAIN), account=account)[1] == [1]
    account, nonces = after(intent(), delegation(chain_id=EVERY_CHAIN), account=account)
    assert nonces == [1, 3]
    assert after(delegation(chain_id=EVERY_CHAIN, nonce=3), account=account)[1] == [
        Reason.NONCE_USED
    ]


def test_authorizations_for_every_chain_are_limited() -> None:
    everywhere = delegation(chain_id=EVERY_CHAIN)
    account, nonces = after(*[everywhere] * ANY_CHAIN_MAX)
    assert nonces == list(range(ANY_CHAIN_MAX))
    assert after(everywhere, account=account)[1] == [Reason.ANY_CHAIN_DELEGATION]
    assert after(delegation(), account=account)[1] == [ANY_CHAIN_MAX]


def test_a_pending_nonce_does_not_free_the_nonce_of_an_authorization() -> None:
    account, _ = after(delegation(nonce=1))
    simulated = report(intent(), pending_nonce=1)
    judged = judge(case(intent(), OPEN, simulation=simulated), account)
    assert not isinstance(judged, Duplicate)
    assert isinstance(judged.live.pinned, TransactionSigned)
    assert judged.live.pinned.nonce == 2


def test_an_account_head_without_authorizations_keeps_its_bytes() -> None:
    account, _ = after(intent())
    assert b"ahead" not in account.encode()
    assert account.nonces == {f"{address_of(SECRET)}@{BASE}": 0}
