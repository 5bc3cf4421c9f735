"""The record of a signer's life is durable before an outcome names it, wherever it dies."""

from collections.abc import Iterator
from itertools import count

from hypothesis import given

from schemas.boot import SignerBoot
from schemas.outcome import decode_outcome
from schemas.topics import Topic
from signer.signatures import verify_event
from signer.stage import Arrival
from tests.harness.builders.cases import NOW_MS, SIGNER
from tests.harness.builders.crashing_signer import SignerRun, arrivals_of, ask, batches
from tests.harness.builders.signer_records import life
from tests.harness.pipeline.signer_process import Died, Disk
from tests.harness.sizes import effort


def attested(
    disk: Disk, handed_out: dict[str, set[bytes]], unique: int, dies_at: int = -1
) -> SignerRun:
    made = SignerRun(disk, handed_out, dies_at)
    made.slot.attest(life(unique))
    return made


def deaths(read: list[list[Arrival]]) -> Iterator[Disk]:
    """Yield the disk of every life there could be that dies once and is followed by another."""
    for dies_at in count():
        disk, handed_out = Disk(), dict[str, set[bytes]]()
        try:
            attested(disk, handed_out, 1, dies_at).run(read)
        except Died:
            attested(disk, handed_out, 2).run(read)
            assert all(len(versions) == 1 for versions in handed_out.values())
            yield disk
        else:
            yield disk
            return


def check_named(disk: Disk) -> None:
    """Check that each outcome names a life whose record came before it, and once."""
    known: set[str] = set()
    for event in disk.published:
        if event.topic is Topic.BOOTS:
            record = SignerBoot.decode(event.value)
            verify_event(record, SIGNER.public_key)
            assert record.id == record.facts.boot_id()
            assert record.id not in known
            known.add(record.id)
        if event.topic is Topic.OUTCOMES:
            assert decode_outcome(event.value).boot in known
    assert known == {outcome.boot for outcome in disk.outcomes}, "a record that nothing names"


@effort(0.3, soak=2)
@given(asked_for=batches)
def test_wherever_it_dies_every_outcome_names_a_life_on_record(
    asked_for: list[list[tuple[str, str, int]]],
) -> None:
    for disk in deaths(arrivals_of(asked_for)):
        check_named(disk)


def test_what_an_earlier_life_pinned_keeps_that_lifes_name() -> None:
    disk, read = Disk(), [[ask("alice", "a", 1)], [ask("alice", "b", 1)]]
    first = attested(disk, {}, 1)
    disk.commit(*first.slot.pin(read[0], [], NOW_MS, {"decided/0": 1}))
    attested(disk, {}, 2).run(read)
    assert [outcome.boot for outcome in disk.outcomes] == [life(1).id, life(2).id]


def test_outcomes_of_before_there_were_boots_stand_beside_those_that_name_one() -> None:
    disk, read = Disk(), [[ask("alice", "a", 1)], [ask("alice", "b", 1)]]
    SignerRun(disk, {}).run(read[:1])
    attested(disk, {}, 1).run(read)
    assert [outcome.boot for outcome in disk.outcomes] == [None, life(1).id]


def test_a_life_that_decides_nothing_leaves_no_record() -> None:
    disk = Disk()
    attested(disk, {}, 1).run([[]])
    assert disk.published == []
