"""Starts of a release, and files and settings that it refuses."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.keys.release import ReleaseGranted, decode_decision
from signer.attestation.release.client.kms import ReleaseUnreachableError, Transport
from signer.custody.errors import KmsDeniedError
from signer.custody.event_signing import Ed25519Signer
from signer.custody.kms.port import RootKms
from sixgate.cli.exit_codes import ExitCode
from streams.kafka.broker import Broker
from tests.harness.builders.release import SHARE, SHARE_AAD
from tests.harness.kms.peers import Peers
from tests.harness.pipeline.release_process import START_S_MAX, Releasing, await_log, releasing


@pytest.fixture
def here(tmp_path: Path, release_broker: Broker, peers: Peers) -> Iterator[Releasing]:
    with releasing(tmp_path / "releases", release_broker, peers) as found:
        found.set_up("gcp")
        yield found


def test_rollback_to_an_older_policy_is_refused_after_a_restart(here: Releasing) -> None:
    older = here.policy()
    here.publish(here.policy(sequence=6))
    here.start("gcp")
    here.kill("gcp")
    here.publish(older)
    ended = here.run("gcp")
    assert ended.code == ExitCode.USAGE
    assert "release policy 5" in ended.sentence
    here.publish(here.policy(sequence=6, configurations="any"))
    assert "release policy 6" in here.run("gcp").sentence


def test_a_refused_policy_leaves_the_previous_one_in_force(here: Releasing) -> None:
    here.start("gcp")
    here.publish(here.policy(sequence=7), Ed25519Signer("admin", b"\x08" * 32))
    await_log(here, "gcp", "no admin of the organisation signed")
    with here.link("gcp") as link:
        assert here.released("gcp", link).wrap(SHARE, SHARE_AAD)
    assert isinstance(last := here.records()[-1], ReleaseGranted)
    assert last.policy != here.policy(sequence=7).digest()


def test_a_newer_policy_needs_no_restart(here: Releasing) -> None:
    here.start("gcp")
    other = "0x" + "0d" * 32
    here.publish(here.policy(sequence=6, configurations=(other,)))
    with here.link("gcp") as link:
        kms = here.released("gcp", link)
        with pytest.raises(KmsDeniedError, match="configuration_refused"):
            wrap_on(kms)


def wrap_on(kms: RootKms) -> None:
    """Wrap repeatedly until it is refused, or a timeout."""
    ends_at_s = time.monotonic() + START_S_MAX
    while time.monotonic() < ends_at_s:
        kms.wrap(SHARE, SHARE_AAD)


def test_a_release_that_a_newer_policy_no_longer_names_ends(here: Releasing) -> None:
    """Continuing under the older policy would overrule the admin."""
    here.start("gcp")
    gone = here.holders["gcp"].model_copy(update={"provider": "aws"})
    here.publish(here.policy(sequence=6, holders=(gone,)))
    assert here.await_end("gcp") == ExitCode.USAGE
    assert "does not name this release" in here.log("gcp")


def test_a_second_release_on_the_same_keys_does_not_start(here: Releasing) -> None:
    here.start("gcp")
    second = here.run("gcp", port=1_024 + 1)
    assert second.code == ExitCode.UNREACHABLE
    assert "another sixgate release" in second.sentence


def test_two_releases_with_copied_keys_refuse_each_others_nonces(here: Releasing) -> None:
    """Only the release that issued a nonce answers a request with it."""
    here.start("gcp")
    shutil.copytree(here.folder("gcp"), here.folder("copy"))
    first_port = here.ports.pop("gcp")
    first = here.processes.pop("gcp")
    try:
        here.folder("gcp").rename(here.path / "first")
        here.folder("copy").rename(here.folder("gcp"))
        here.start("gcp")
        with here.link("gcp") as second:
            here.ports["gcp"], second_port = first_port, here.ports["gcp"]
            with here.link("gcp") as one:
                crossed = _Crossed(one, second)
                with pytest.raises(Exception, match="nonce_unknown"):
                    here.released("gcp", crossed).wrap(SHARE, SHARE_AAD)
            here.ports["gcp"] = second_port
            assert here.released("gcp", second).wrap(SHARE, SHARE_AAD)
    finally:
        first.kill()
        first.wait()


class _Crossed:
    """Gets nonces from one release and sends requests to another."""

    def __init__(self, gives: Transport, answers: Transport) -> None:
        self.nonce, self.send = gives.nonce, answers.send


def test_production_refuses_a_simulated_platform_by_name(here: Releasing) -> None:
    ended = here.run("gcp", insecure_dev=False)
    assert ended.code == ExitCode.USAGE
    assert "simulated" in ended.sentence


def test_a_release_on_a_public_address_needs_mutual_tls(here: Releasing) -> None:
    ended = here.run("gcp", host="0.0.0.0")  # noqa: S104 - must be refused
    assert ended.code == ExitCode.USAGE
    assert "mutual TLS" in ended.sentence


def test_a_release_with_the_rights_of_two_providers_does_not_start(here: Releasing) -> None:
    file = here.settings("gcp")
    file.write_text(file.read_text() + here.kms("aws"))
    ended = here.command("--config", str(file))
    assert ended.code == ExitCode.USAGE
    assert "[kms.gcp], [kms.aws]" in ended.sentence


def test_a_policy_for_another_audience_is_refused(here: Releasing) -> None:
    ended = here.run("gcp", audience="https://elsewhere.example")
    assert ended.code == ExitCode.USAGE
    assert "https://gcp.release.example" in ended.sentence


def test_keys_are_never_replaced(here: Releasing) -> None:
    before = (here.folder("gcp") / "keys" / "release-gcp.sealed").read_bytes()
    assert here.run("gcp", "keys").code == ExitCode.FOLDER
    assert here.run("gcp", "keys", "--show").code == ExitCode.OK
    assert (here.folder("gcp") / "keys" / "release-gcp.sealed").read_bytes() == before


@pytest.fixture
def guarded(tmp_path: Path, release_broker: Broker, peers: Peers) -> Iterator[Releasing]:
    with releasing(tmp_path / "guarded", release_broker, peers, tls=True) as found:
        found.set_up("gcp")
        found.start("gcp")
        yield found


def test_only_the_signers_certificate_is_accepted(guarded: Releasing, tmp_path: Path) -> None:
    with guarded.link("gcp") as link:
        assert guarded.released("gcp", link).wrap(SHARE, SHARE_AAD)
    with guarded.link("gcp", client="producers") as stranger:
        with pytest.raises(ReleaseUnreachableError):
            stranger.nonce()
        with pytest.raises(ReleaseUnreachableError):
            stranger.send(b"{}")
    forged = guarded.link_of_a_stranger("gcp", tmp_path / "other")
    with forged as forger, pytest.raises(ReleaseUnreachableError):
        forger.nonce()
    assert isinstance(decode_decision(guarded.records()[-1].encode()), ReleaseGranted)
