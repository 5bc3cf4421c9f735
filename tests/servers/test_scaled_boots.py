"""Boots of signers on Kafka: recorded before an outcome names one, and fetched by customers."""

import json
import secrets
import signal
from pathlib import Path

import orjson

from schemas.record import Outgoing
from schemas.topics import Topic
from signer.attestation.verify.policy import SIMULATED_ROOT
from sixgate.cli.exit_codes import ExitCode
from tests.harness.cli.forked import ForkedCommandLine
from tests.harness.judge.promises import Json, check
from tests.harness.pipeline.embedded import ACCOUNT, Producer
from tests.harness.pipeline.scaled import SETTLE_S_MAX, Scaled, all_ended, on_kafka

BELIEVING = {"measurements": "any", "simulated_root": SIMULATED_ROOT}


def boots(scaled: Scaled) -> list[Json]:
    return [orjson.loads(raw) for raw in on_kafka(scaled.broker)(Topic.BOOTS)]


def submit(scaled: Scaled, *values: bytes) -> None:
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values])


def test_each_boot_is_recorded_with_the_first_outcome_that_names_it(
    scaled: Scaled, trader: Producer
) -> None:
    for name in ("signer", "gates"):
        scaled.start(name)
        scaled.await_ready(name)
    assert boots(scaled) == []
    submit(scaled, trader.signed("a"))
    scaled.settle(all_ended)
    submit(scaled, trader.signed("b"))
    scaled.settle(all_ended)
    assert len(boots(scaled)) == 1
    scaled.kill("signer")
    submit(scaled, trader.signed("c"))
    scaled.start("signer")
    scaled.settle(all_ended)
    found = check(on_kafka(scaled.broker), settled=True)
    named = [outcome["boot"] for outcome in found.outcomes]
    assert named[0] == named[1] != named[2]
    assert [boot["id"] for boot in found.boots] == [named[0], named[2]]


def test_a_fenced_signer_publishes_no_boot(scaled: Scaled, trader: Producer) -> None:
    for name in ("signer", "gates"):
        scaled.start(name)
        scaled.await_ready(name)
    zombie = scaled.set_aside("signer")
    zombie.send_signal(signal.SIGSTOP)
    scaled.start("signer")
    scaled.await_ready("signer")
    submit(scaled, trader.signed("a"))
    zombie.send_signal(signal.SIGCONT)
    found = scaled.settle(all_ended)
    assert zombie.wait(SETTLE_S_MAX) == ExitCode.TAKEN_OVER
    assert [boot["id"] for boot in found.boots] == [found.outcomes[0]["boot"]]
    check(on_kafka(scaled.broker), settled=True)


def test_a_customer_asks_a_signer_by_its_health_port(scaled: Scaled, tmp_path: Path) -> None:
    scaled.start("signer")
    scaled.await_ready("signer")
    cli, nonce = ForkedCommandLine(None), f"0x{secrets.token_hex(32)}"
    file, policy = tmp_path / "evidence.json", tmp_path / "policy.json"
    policy.write_text(json.dumps(BELIEVING))
    asked = ("attest", "--nonce", nonce, "--url", scaled.url("signer"))
    ended = cli.ok(*asked, "--out", str(file))
    assert ended.err.startswith("SIMULATED: ")
    verified = cli.ok("attest", "verify", str(file), "--policy", str(policy), "--nonce", nonce)
    assert verified.out.startswith("SIMULATED: ")
