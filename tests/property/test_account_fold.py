"""Account state is a fold: the same history gives the same account, across any restarts."""

from dataclasses import dataclass, field
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from signer.core.account import Account
from signer.core.window import SPENT_MS
from tests.harness.builders.cases import ACCOUNT, NOW_MS, intent, signed
from tests.harness.builders.models import uint256
from tests.harness.sizes import effort

MINUTE_MS = 60_000
SENDERS = ("0x" + "aa" * 20, "0x" + "bb" * 20)
CHAINS = (1, 8453)
AGENTS = ("alice", "bob")

# Time since the last event, agent, and charge: value, sender, chain, gap in nonces.
Charge: TypeAlias = tuple[int, str, int, int]
Event: TypeAlias = tuple[int, str, Charge | None]
pauses = st.sampled_from([0, 1, MINUTE_MS, MINUTE_MS + 1, SPENT_MS, SPENT_MS + 1]) | st.integers(
    0, 999
)
charges = st.tuples(uint256, st.sampled_from(SENDERS), st.sampled_from(CHAINS), st.integers(0, 3))
histories = st.lists(st.tuples(pauses, st.sampled_from(AGENTS), st.none() | charges), max_size=50)


@dataclass
class LedgerService:
    """The model: the same history in plain lists."""

    now_ms: int = NOW_MS
    judged: list[tuple[int, str]] = field(default_factory=list)
    spent: list[tuple[int, int]] = field(default_factory=list)
    nonces: dict[tuple[str, int], int] = field(default_factory=dict)

    def check(self, account: Account) -> None:
        assert account.sequence == len(self.judged)
        spent_ms, minute_ms = self.now_ms - SPENT_MS, self.now_ms - MINUTE_MS
        assert account.spent_wei(self.now_ms) == sum(w for t, w in self.spent if t >= spent_ms)
        for name in AGENTS:
            count = sum(1 for t, by in self.judged if by == name and t >= minute_ms)
            assert account.intents_of(name, self.now_ms) == count
        for sender in SENDERS:
            for chain_id in CHAINS:
                expected = self.nonces.get((sender, chain_id), -1) + 1
                assert account.next_nonce(sender, chain_id) == expected


def take(account: Account, books: LedgerService, event: Event) -> Account:
    pause_ms, name, charge = event
    books.now_ms += pause_ms
    books.judged.append((books.now_ms, name))
    account = account.decided(name, books.now_ms)
    if charge is None:
        return account
    wei, sender, chain_id, gap = charge
    nonce = account.next_nonce(sender, chain_id) + gap
    books.spent.append((books.now_ms, wei))
    books.nonces[sender, chain_id] = nonce
    done = signed(
        intent(value_wei=wei, chain_id=chain_id),
        sender=sender,
        nonce=nonce,
        decided_at_ms=books.now_ms,
    )
    return account.charged(done)


@given(histories)
def test_an_account_equals_the_model_of_its_history(history: list[Event]) -> None:
    account, books = Account(account=ACCOUNT), LedgerService()
    for event in history:
        account = take(account, books, event)
        books.check(account)


@effort(0.5, soak=1)
@given(histories, st.data())
def test_a_restart_anywhere_changes_nothing(history: list[Event], data: st.DataObject) -> None:
    steady = restarted = Account(account=ACCOUNT)
    one, other = LedgerService(), LedgerService()
    for event in history:
        steady = take(steady, one, event)
        restarted = take(restarted, other, event)
        if data.draw(st.booleans()):
            restarted = Account.decode(restarted.encode())
    assert restarted == steady
    assert restarted.encode() == steady.encode()


@effort(0.5, soak=1)
@given(histories)
def test_folding_does_not_change_its_input_account(history: list[Event]) -> None:
    books = LedgerService()
    accounts = [Account(account=ACCOUNT)]
    encoded = [accounts[0].encode()]
    for event in history:
        accounts.append(take(accounts[-1], books, event))
        encoded.append(accounts[-1].encode())
    assert [account.encode() for account in accounts] == encoded


def test_the_head_forgets_agents_that_were_silent_for_a_minute() -> None:
    account = Account(account=ACCOUNT)
    for n in range(500):
        account = account.decided(f"agent-{n}", NOW_MS + n * MINUTE_MS // 2)
    assert len(account.rates) == 3
    assert account.sequence == 500


@effort(0.1)
@given(st.integers(1, 300))
def test_the_head_stays_small(count: int) -> None:
    account, books = Account(account=ACCOUNT), LedgerService()
    for n in range(count):
        account = take(account, books, (n % 3, "alice", (2**256 - 1, SENDERS[0], 1, 0)))
    assert len(account.encode()) < 32 * 1024
