"""Two signers of one slot at the same time, many producers: a limit of 20 units allows 20."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from schemas.record import Outgoing
from schemas.topics import Topic
from sixgate.cli.exit_codes import ExitCode
from tests.harness.judge.promises import Json, TopicContents, check
from tests.harness.pipeline.embedded import ACCOUNT, STRANGER, Producer
from tests.harness.pipeline.load import DEAR_WEI
from tests.harness.pipeline.scaled import Scaled, all_ended, on_kafka
from tests.harness.sizes import FIGHTS

PRODUCERS = 8
UNITS = 20
POKE_S = 0.3
FENCED_S_MAX = 120
# A broker that is fencing may answer a commit with an unknown error; then the signer halts.
LOST = (ExitCode.TAKEN_OVER, ExitCode.HALTED)


def fight(scaled: Scaled, trader: Producer, number: int) -> None:
    """Start two signers at the same moment and wait until one of them is fenced.

    A fenced signer notices at its commit, so both need intents to decide.
    """
    scaled.start("signer")
    port, first = scaled.ports["signer"], scaled.set_aside("signer")
    scaled.start("signer")
    second = scaled.processes["signer"]
    ends_at_s = time.monotonic() + FENCED_S_MAX
    while first.poll() is None and second.poll() is None:
        assert time.monotonic() < ends_at_s, "two signers hold one slot"
        submit(scaled, trader.signed(f"poke-{number}-{time.monotonic_ns()}", to=STRANGER))
        time.sleep(POKE_S)
    lost = second if first.poll() is None else first
    if lost is second:
        scaled.put_back("signer", first, port)
    assert lost.returncode in LOST, scaled.log("signer")


def submit(scaled: Scaled, value: bytes) -> None:
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value)])


def test_two_signers_started_at_the_same_moment_stay_within_the_limit(
    scaled: Scaled, trader: Producer
) -> None:
    scaled.start("gates")
    scaled.await_ready("gates")
    with ThreadPoolExecutor(PRODUCERS) as producers:
        for number in range(FIGHTS):
            dear = [trader.signed(f"{number}-{n}", value_wei=DEAR_WEI) for n in range(PRODUCERS)]
            sending = producers.map(partial(submit, scaled), dear)
            fight(scaled, trader, number)
            list(sending)
            scaled.settle(all_ended)
            scaled.stop("signer")
    found = check(on_kafka(scaled.broker), settled=True)
    signed, refused = ended(found, DEAR_WEI)
    assert len(signed) == UNITS
    assert [o["reason"] for o in refused] == ["daily_limit_exceeded"] * (FIGHTS * PRODUCERS - UNITS)


def ended(found: TopicContents, value_wei: int) -> tuple[list[Json], list[Json]]:
    """Return the signed and the rejected intents of one value."""
    of_value = [o for o in found.outcomes if int(o["value_wei"]) == value_wei]
    signed = [o for o in of_value if o["type"] == "transaction.signed"]
    return signed, [o for o in of_value if o not in signed]
