"""No nonce of an address is in two signatures that can both reach a chain."""

from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

from hypothesis import event, given
from hypothesis import strategies as st

from schemas.intents.intent import AnyIntent, AuthorizationIntent, TransactionIntent
from schemas.intents.outcome import MessageSigned, TransactionSigned
from signer.core.account import Account
from signer.core.case import Case
from signer.core.decide import Allocation, Refusal
from tests.harness.builders.cases import (
    ACCOUNT,
    BASE,
    COMMON,
    MAINNET,
    STRANGER,
    address_of,
    case,
    chain,
    intent,
    key,
    policy,
)
from tests.harness.builders.signer_records import judge, refused

SECRETS = (b"\x01" * 32, b"\x02" * 32)
EVERY_CHAIN = 0
OPEN = policy(delegate_allowlist=(STRANGER,), allow_any_chain_delegation=True)

# Key, chain, transaction or not, and the distance of the requested nonce from the next one.
Wish: TypeAlias = tuple[bytes, int, bool, int | None]
wishes = st.lists(
    st.tuples(
        st.sampled_from(SECRETS),
        st.sampled_from((MAINNET, BASE, EVERY_CHAIN)),
        st.booleans(),
        st.none() | st.integers(-2, 3),
    ).filter(lambda wish: not (wish[2] and wish[1] == EVERY_CHAIN)),
    max_size=40,
)


@dataclass
class Signed:
    """The model: every signature in a list; the next nonce is found by trying all."""

    uses: list[tuple[str, int, int]] = field(default_factory=list)

    def free(self, sender: str, chain_id: int, nonce: int) -> bool:
        return not any(
            (by, number) == (sender, nonce) and (EVERY_CHAIN in (on, chain_id) or on == chain_id)
            for by, on, number in self.uses
        )

    def next_free(self, sender: str, chain_id: int) -> int:
        return next(nonce for nonce in count() if self.free(sender, chain_id, nonce))

    def expected(self, one: AnyIntent, sender: str) -> int | None:
        """Return the nonce that an intent gets, or None if it is rejected."""
        assert isinstance(one, TransactionIntent | AuthorizationIntent)
        following = self.next_free(sender, one.chain_id)
        if one.nonce in (None, following):
            return following
        may_stand_behind = isinstance(one, AuthorizationIntent) and one.nonce == following + 1
        free = self.free(sender, one.chain_id, following + 1)
        return one.nonce if may_stand_behind and free else None


def asked_for(wish: Wish, following: int) -> Case:
    secret, chain_id, is_transaction, offset = wish
    nonce = None if offset is None else max(0, following + offset)
    one = (
        intent(chain_id=chain_id, nonce=nonce)
        if is_transaction
        else AuthorizationIntent(
            **(COMMON | {"chain_id": chain_id}), delegate=STRANGER, nonce=nonce
        )
    )
    known = chain(chain_id=chain_id) if chain_id else None
    return case(one, OPEN, key=key(secret), chain=known)


@given(wishes)
def test_every_nonce_is_used_once_and_none_is_skipped(row: list[Wish]) -> None:
    account, signed = Account(account=ACCOUNT), Signed()
    for wish in row:
        sender, chain_id = address_of(wish[0]), wish[1]
        following = signed.next_free(sender, chain_id)
        one = asked_for(wish, following)
        judged, got = judge(one, account), signed.expected(one.intent, sender)
        assert isinstance(judged, Allocation | Refusal)
        event("refused" if got is None else f"signed, {got - following} beyond the next")
        if got is None:
            assert refused(judged).reason in ("nonce_used", "nonce_too_high")
        else:
            assert isinstance(judged, Allocation), judged
            draft = judged.live.pinned
            assert isinstance(draft, TransactionSigned | MessageSigned)
            assert draft.nonce == got
            assert signed.free(sender, chain_id, got)
            signed.uses.append((sender, chain_id, got))
        account = Account.decode(judged.account.encode())
