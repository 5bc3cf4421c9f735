"""The rolling window against a list of every charge."""

import hashlib
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from signer.core.account import Account
from signer.core.rules import daily_limit
from signer.core.rules.decision import Passed
from signer.core.window import DAY_MS, SIGN_MS_MAX, SPENT_MS, Window
from tests.harness.builders.cases import ACCOUNT, ETH, NOW_MS, facts, intent, policy, signed
from tests.harness.sizes import effort

SPAN_MS = 1_000
EXACT_MAX = 64  # the designed number of entries
steps = st.sampled_from([0, 1, 2, 10, SPAN_MS - 1, SPAN_MS, SPAN_MS + 1]) | st.integers(0, 50)
amounts = st.integers(0, 3) | st.integers(0, 2**256 - 1)


@dataclass
class Everything:
    """The model: every amount with its time, and the window, which must count at least as much."""

    window: Window = field(default_factory=Window)
    charges: list[tuple[int, int]] = field(default_factory=list)
    now_ms: int = 0

    def add(self, step_ms: int, amount: int) -> None:
        self.now_ms += step_ms
        self.charges.append((self.now_ms, amount))
        self.window = self.window.add(self.now_ms, amount, SPAN_MS)

    def exact(self, at_ms: int) -> int:
        return sum(amount for t, amount in self.charges if at_ms - SPAN_MS <= t <= at_ms)

    def moments(self) -> list[int]:
        """Return every later moment at which a charge may leave the window, ± 1 ms."""
        leaving = {t + SPAN_MS for t, _ in self.charges} | {self.now_ms}
        near = {moment + offset for moment in leaving for offset in (-1, 0, 1)}
        return sorted(moment for moment in near if moment >= self.now_ms)

    def check_never_less(self) -> None:
        entries = self.window.entries
        assert len(entries) <= EXACT_MAX
        times = [at_ms for at_ms, _ in entries]
        assert times == sorted(set(times))
        assert all(amount > 0 for _, amount in entries)
        for at_ms in self.moments():
            assert self.window.total(at_ms, SPAN_MS) >= self.exact(at_ms)

    def check_exact(self) -> None:
        for at_ms in self.moments():
            assert self.window.total(at_ms, SPAN_MS) == self.exact(at_ms)


def test_exactly_64_entries_are_kept_separately() -> None:
    everything = Everything()
    for _ in range(EXACT_MAX):
        everything.add(1, 1)
        everything.check_exact()
    assert len(everything.window.entries) == EXACT_MAX
    everything.add(1, 1)
    everything.check_never_less()
    assert len(everything.window.entries) == EXACT_MAX


@given(st.lists(st.tuples(steps, amounts), max_size=EXACT_MAX))
def test_up_to_64_entries_the_window_is_exact_at_every_moment(
    charges: list[tuple[int, int]],
) -> None:
    everything = Everything()
    for step_ms, amount in charges:
        everything.add(step_ms, amount)
        everything.check_never_less()
        everything.check_exact()


@effort(0.25)
@given(st.lists(st.tuples(st.integers(0, 5), amounts), min_size=EXACT_MAX, max_size=250))
def test_beyond_64_entries_the_window_never_counts_less(charges: list[tuple[int, int]]) -> None:
    everything = Everything()
    for step_ms, amount in charges:
        everything.add(step_ms, amount)
    everything.check_never_less()
    # after one span without a charge the window is empty
    assert everything.window.total(everything.now_ms + SPAN_MS + 1, SPAN_MS) == 0


@given(st.data())
def test_moving_a_charge_does_not_change_the_others(data: st.DataObject) -> None:
    """A recovery moves the newest charges to now; after a crash it moves them again."""
    everything = Everything()
    first = [0] * 12  # the original time of each charge
    for n in range(12):
        everything.add(data.draw(steps), data.draw(amounts))
        first[n] = everything.now_ms
    for _ in range(data.draw(st.integers(1, 6))):
        moved = data.draw(st.integers(0, 11))
        everything.now_ms += data.draw(steps)
        amount = everything.charges[moved][1]
        everything.window = everything.window.move(first[moved], everything.now_ms, amount, SPAN_MS)
        everything.charges[moved] = (everything.now_ms, amount)
        everything.check_never_less()


def test_a_charge_that_has_left_the_window_is_not_subtracted_from_another() -> None:
    window = Window().add(0, 7, SPAN_MS).add(SPAN_MS + 1, 7, SPAN_MS)
    assert window.move(0, SPAN_MS + 2, 7, SPAN_MS).total(SPAN_MS + 2, SPAN_MS) == 14
    # nor one that may have been removed already: counting twice is safer than not at all
    unknown = Window().add(5, 3, SPAN_MS).move(0, 6, 7, SPAN_MS)
    assert unknown.total(6, SPAN_MS) == 10


@given(st.lists(st.tuples(steps, amounts), min_size=1, max_size=20), steps)
def test_moving_the_newest_charge_is_exact(charges: list[tuple[int, int]], step_ms: int) -> None:
    everything = Everything()
    for one in charges:
        everything.add(*one)
    at_ms, amount = everything.charges.pop()
    everything.now_ms += step_ms
    everything.window = everything.window.move(at_ms, everything.now_ms, amount, SPAN_MS)
    everything.charges.append((everything.now_ms, amount))
    everything.check_never_less()
    if step_ms <= SPAN_MS:
        everything.check_exact()


LIMIT_WEI = 5 * ETH
LIMITED = policy(tx_daily_limit_eth="5")
ASKED, DONE, KNOWN = intent(), signed(intent()), facts()


@effort(0.12)
@given(st.binary(min_size=8, max_size=8), st.sampled_from([1_000, 60_000, 3_600_000]))
def test_no_sequence_of_thousands_of_spends_exceeds_the_daily_limit(
    seed: bytes, pace_ms: int
) -> None:
    """The adversary knows the exact sum, aims at the edges of 24 h and requests all that is left.

    He also chooses the delay of each signature, up to the signer's maximum.
    """
    account, now_ms = Account(account=ACCOUNT), NOW_MS
    spends: list[tuple[int, int]] = []
    signed_late: list[tuple[int, int]] = []
    exact = True  # until the window must merge entries
    choices = hashlib.shake_256(seed).digest(4 * 3_000)
    for turn in range(0, len(choices), 4):
        where, step, size, late = choices[turn : turn + 4]
        now_ms += step * pace_ms // 255
        if where < 64 and spends:  # jump to the end of an earlier charge's 24 hours
            span_ms = DAY_MS if where % 2 else SPENT_MS
            edge_ms = spends[-1 - where % len(spends)][0] + span_ms + where % 3 - 1
            now_ms = max(now_ms, edge_ms)
        left_wei = LIMIT_WEI - spent_since(spends, now_ms - SPENT_MS)
        value_wei = max(0, left_wei) if size < 32 else size * ETH // 1_000
        value_wei += size % 2
        asked = ASKED.model_copy(update={"value_wei": value_wei})
        decision = daily_limit.decide(asked, LIMITED, account, replace(KNOWN, at_ms=now_ms))
        if isinstance(decision, Passed):
            update = {"value_wei": value_wei, "decided_at_ms": now_ms}
            account = account.charged(DONE.model_copy(update=update))
            spends.append((now_ms, value_wei))
            late_ms = 0 if late < 64 else min(SIGN_MS_MAX, (late - 64) * SIGN_MS_MAX // 128)
            signed_late.append((now_ms + late_ms, value_wei))
            exact = exact and len(account.spent.entries) < EXACT_MAX
        elif exact:
            assert spent_since(spends, now_ms - SPENT_MS) + value_wei > LIMIT_WEI
    assert len(spends) > 50
    for times in (spends, signed_late):
        assert most_in_24_h(times) <= LIMIT_WEI


def spent_since(spends: list[tuple[int, int]], oldest_ms: int) -> int:
    return sum(wei for at_ms, wei in spends if at_ms >= oldest_ms)


def most_in_24_h(spends: list[tuple[int, int]]) -> int:
    """Return the maximum over all periods of 24 hours, both ends included."""
    most = total = first = 0
    ordered = sorted(spends)
    for at_ms, wei in ordered:
        total += wei
        while ordered[first][0] < at_ms - DAY_MS:
            total -= ordered[first][1]
            first += 1
        most = max(most, total)
    return most
