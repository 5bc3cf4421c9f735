"""A boot's record is durable before an outcome names the boot, wherever the signer crashes."""

from collections.abc import Iterator
from itertools import count

from hypothesis import given

from schemas.intents.outcome import decode_outcome
from schemas.keys.boot import SignerBoot
from schemas.topics import Topic
from signer.custody.event_signing import verify_event
from signer.stage.stage import Arrival
from tests.harness.builders.cases import NOW_MS, SIGNER
from tests.harness.builders.crashing_signer import SignerRun, arrivals_of, ask, batches
from tests.harness.builders.signer_records import boot_event
from tests.harness.pipeline.signer_process import Died, Disk
from tests.harness.sizes import effort


def attested(
    disk: Disk, handed_out: dict[str, set[bytes]], unique: int, dies_at: int = -1
) -> SignerRun:
    made = SignerRun(disk, handed_out, dies_at)
    made.slot.attest(boot_event(unique))
    return made


def deaths(read: list[list[Arrival]]) -> Iterator[Disk]:
    """Yield the disk after every possible single crash and a restart."""
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
    """Check that each outcome names a boot whose single record precedes it."""
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
def test_every_outcome_names_a_recorded_boot_after_any_crash(
    asked_for: list[list[tuple[str, str, int]]],
) -> None:
    for disk in deaths(arrivals_of(asked_for)):
        check_named(disk)


def test_an_outcome_pinned_by_an_earlier_boot_names_that_boot() -> None:
    disk, read = Disk(), [[ask("alice", "a", 1)], [ask("alice", "b", 1)]]
    first = attested(disk, {}, 1)
    disk.commit(*first.slot.pin(read[0], [], NOW_MS, {"decided/0": 1}))
    attested(disk, {}, 2).run(read)
    assert [outcome.boot for outcome in disk.outcomes] == [boot_event(1).id, boot_event(2).id]


def test_outcomes_without_a_boot_and_with_one_can_coexist() -> None:
    disk, read = Disk(), [[ask("alice", "a", 1)], [ask("alice", "b", 1)]]
    SignerRun(disk, {}).run(read[:1])
    attested(disk, {}, 1).run(read)
    assert [outcome.boot for outcome in disk.outcomes] == [None, boot_event(1).id]


def test_a_boot_without_a_decision_has_no_record() -> None:
    disk = Disk()
    attested(disk, {}, 1).run([[]])
    assert disk.published == []
