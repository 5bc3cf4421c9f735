"""Requests with idempotency keys, through a signer that crashes, compared with a brute-force model.

The model remembers everything for ever. It knows no digests: it compares the fields of requests.
"""

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.intents.intent_parts import ClientShare
from schemas.intents.outcome import IntentRejected
from schemas.intents.reasons import Reason
from schemas.registry.records import SettingSet
from signer.core.registry.registry import Registry
from signer.stage.stage import Arrival
from tests.harness.builders.cases import (
    ACCOUNT,
    BASE,
    DAY_MS,
    HOUR_MS,
    MAINNET,
    NOW_MS,
    RECIPIENT,
    STRANGER,
    agent,
    arrival,
    chain,
    intent,
    policy,
    registered,
    sealed,
)
from tests.harness.builders.crashing_signer import AGENTS, BOB, HOT, KEYS, SECRETS
from tests.harness.pipeline.signer_process import Crash, Died, Disk, SignerProcess
from tests.harness.sizes import effort

REMEMBER_MS = 2 * DAY_MS
SHARES = [
    None,
    ClientShare(key_version=1, share_key="0x" + "01" * 32, box="0x" + "02" * 80),
    ClientShare(key_version=1, share_key="0x" + "01" * 32, box="0x" + "03" * 80),
]
SIGNED = "signed"


Terms: TypeAlias = tuple[str, str, int, int, str, int, int]


class Asked(NamedTuple):
    """One intent: what the user gave, then what the client filled in."""

    agent: str
    key: str
    value_wei: int
    chain_id: int
    to: str
    expires_at_ms: int
    share: int

    @property
    def request(self) -> tuple[int, int, str]:
        return self.value_wei, self.chain_id, self.to

    def arrival(self, n: int) -> Arrival:
        account, by = AGENTS[self.agent]
        made = intent(
            agent=self.agent,
            account=account,
            key_path=HOT,
            idempotency_key=self.key,
            value_wei=self.value_wei,
            chain_id=self.chain_id,
            to=self.to,
            expires_at_ms=self.expires_at_ms,
            client_share=SHARES[self.share],
        )
        return arrival(made, n, envelope=sealed(made, by))


@dataclass
class Owner:
    """The first intent with a key, and until when its key is remembered."""

    first: Asked
    until_ms: int


@dataclass
class Model:
    """What must become of every intent: its own end, or the intent that it shares the end of."""

    ends: dict[Asked, str] = field(default_factory=dict)
    shares: dict[Asked, Asked] = field(default_factory=dict)
    duplicates: Counter[Asked] = field(default_factory=Counter)
    owners: dict[tuple[str, str], Owner] = field(default_factory=dict)

    def take(self, batch: list[Asked], at_ms: int) -> None:
        for asked in batch:
            self._take(asked, at_ms)
        for key, owner in list(self.owners.items()):
            if owner.until_ms < at_ms:
                del self.owners[key]

    def _take(self, asked: Asked, at_ms: int) -> None:
        left_ms = asked.expires_at_ms - at_ms
        owner = self.owners.get((asked.agent, asked.key))
        if asked in self.ends or asked in self.shares:
            self.duplicates[asked] += 1
        elif owner and owner.first.request == asked.request and left_ms <= DAY_MS:
            self.shares[asked] = owner.first
            owner.until_ms = max(owner.until_ms, asked.expires_at_ms)
            self.duplicates[asked] += 1
        else:
            self.ends[asked] = self._end(asked, left_ms, conflict=owner is not None)
            if owner is None:
                self.owners[asked.agent, asked.key] = Owner(asked, at_ms + REMEMBER_MS)

    def _end(self, asked: Asked, left_ms: int, *, conflict: bool) -> str:
        if left_ms <= 0:
            return Reason.EXPIRED
        if left_ms > DAY_MS:
            return Reason.EXPIRY_TOO_FAR
        if conflict:
            return Reason.IDEMPOTENCY_CONFLICT
        return Reason.RECIPIENT_NOT_ALLOWED if asked.to == STRANGER else SIGNED


def organisation() -> Registry:
    return registered(
        agent(key_paths=(HOT,)),
        agent(agent="bob", public_key=BOB.public_key, key_paths=(HOT,)),
        chain(chain_id=MAINNET, name="ethereum", aliases=()),
        SettingSet(name="idempotency.remember_ms", value=REMEMBER_MS),
        under=policy(tx_to_allowlist=(RECIPIENT,)),
    )[1]


REGISTRY = organisation()
terms = st.tuples(
    st.sampled_from(["alice", "alice", "alice", "bob"]),
    st.sampled_from("aab"),
    st.sampled_from([1, 1, 1, 2]),
    st.sampled_from([BASE, BASE, BASE, MAINNET]),
    st.sampled_from([RECIPIENT, RECIPIENT, RECIPIENT, STRANGER]),
    st.sampled_from([-1, 0, 1, HOUR_MS, HOUR_MS, DAY_MS, DAY_MS, DAY_MS + 1, 3 * DAY_MS]),
    st.sampled_from(range(len(SHARES))),
)
again = st.integers(0, 3)
waits = st.sampled_from([0, 0, 1, HOUR_MS, DAY_MS - 1, DAY_MS, DAY_MS + 1, REMEMBER_MS + 1])
steps = st.tuples(
    st.lists(st.one_of(terms, again), min_size=1, max_size=4),
    waits,
    st.sampled_from([None, None, *Crash]),
)
FIRST = ("alice", "a", 1, BASE, RECIPIENT, DAY_MS, 0)
LATER = ("alice", "a", 1, BASE, RECIPIENT, DAY_MS, 1)


@effort(3, soak=30)
@given(plan=st.lists(steps, min_size=1, max_size=8))
# A repetition that outlives the first intent's record, replayed while it has not expired.
@example(plan=[([FIRST], 0, None), ([LATER], DAY_MS, None), ([0, 1], DAY_MS, None)] * 2)
# The same if the first process dies between pinning and signing.
@example(plan=[([FIRST, LATER], 0, Crash.BEFORE_SIGNING), ([1, 0], REMEMBER_MS + 1, None)])
def test_every_intent_ends_as_the_model_says(
    plan: list[tuple[list[Terms | int], int, Crash | None]],
) -> None:
    disk, model, now_ms = Disk(), Model(), NOW_MS
    process, sent = SignerProcess(disk, REGISTRY, KEYS, SECRETS), list[Asked]()
    for wanted, wait_ms, die in plan:
        now_ms += wait_ms
        batch = [made(one, now_ms, sent) for one in wanted if sent or not isinstance(one, int)]
        sent += [asked for asked in batch if asked not in sent]
        foreseen = deepcopy(model)
        foreseen.take(batch, now_ms)
        numbered = [one.arrival(100 * len(disk.published) + n) for n, one in enumerate(batch)]
        try:
            process.run(numbered, now_ms, die)
        except Died:
            process = SignerProcess(disk, REGISTRY, KEYS, SECRETS)
            process.start(now_ms)
        if die is not Crash.BEFORE_ALLOCATIONS:
            model = foreseen
        check(disk, model)


def made(one: Terms | int, now_ms: int, sent: list[Asked]) -> Asked:
    """Return a new intent, or one of the last that were sent."""
    if isinstance(one, int):
        return sent[-1 - one % len(sent)]
    who, key, value_wei, chain_id, to, expires_in_ms, share = one
    return Asked(who, key, value_wei, chain_id, to, now_ms + expires_in_ms, share)


def check(disk: Disk, model: Model) -> None:
    """Compare outcomes and audit records with the model, which names intents by their fields."""
    names = {one.arrival(0).clearance.intent: one for one in {*model.ends, *model.shares}}
    ends = [
        (names[one.intent], one.reason if isinstance(one, IntentRejected) else SIGNED)
        for one in disk.outcomes
    ]
    assert len(ends) == len(model.ends), "an intent has two outcomes, or none"
    assert dict(ends) == model.ends
    told = [(names[one.subject], names[one.detail]) for one in disk.audits]
    assert {pair for pair in told if pair[0] != pair[1]} == set(model.shares.items())
    assert Counter(subject for subject, _ in told) == model.duplicates
    account = SignerProcess(disk, REGISTRY, KEYS, SECRETS).memory.account(ACCOUNT)
    signed = [one for one, end in model.ends.items() if end == SIGNED]
    assert account.sequence == len(model.ends), "a repetition took a sequence number"
    used = Counter(one.chain_id for one in signed)
    assert {int(key.split("@")[1]): n + 1 for key, n in account.nonces.items()} == used
