"""``sixgate release`` as a process: grants, refusals, crashes around the record."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest

from schemas.keys.release import (
    ReleaseGranted,
    ReleaseReason,
    ReleaseRefused,
    decode_context,
    decode_decision,
    request_digest,
)
from signer.attestation.release.client.exchange import (
    Exchange,
    KmsRequest,
    Requester,
    UnwrapRequest,
    WrapRequest,
)
from signer.attestation.release.client.kms import ReleaseUnreachableError
from signer.attestation.verify.binding import Purpose
from signer.custody.errors import CorruptError, CustodyError, KmsDeniedError
from signer.custody.event_signing import verify_event
from sixgate.cli.exit_codes import ExitCode
from sixgate.releasing.link import ReleaseLink
from streams.kafka.broker import Broker
from tests.harness.broker.kafka_proxy import Api, KafkaProxy, Point, When
from tests.harness.builders.release import (
    CONFIGURATION,
    SHARE,
    SHARE_AAD,
    SHARE_PLACE,
    SHARED,
    audience,
    base64_text,
    changed,
    requester,
)
from tests.harness.kms.faults import Fault
from tests.harness.kms.peers import Peers
from tests.harness.pipeline.release_process import Releasing, attest, releasing, token
from tools.local.kafka import Kafka

WRAPPING = WrapRequest(SHARE, SHARE_PLACE)


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, release_broker: Broker, peers: Peers
) -> Iterator[Releasing]:
    """Run a release for gcp."""
    path = tmp_path_factory.mktemp("running") / "releases"
    with releasing(path, release_broker, peers) as found:
        found.set_up("gcp")
        found.start("gcp")
        yield found


@pytest.fixture
def here(tmp_path: Path, release_broker: Broker, peers: Peers) -> Iterator[Releasing]:
    with releasing(tmp_path / "releases", release_broker, peers) as found:
        yield found


def exchange(
    here: Releasing,
    link: ReleaseLink,
    *wanted: KmsRequest,
    provider: str = "gcp",
    asker: Requester | None = None,
    shown: bytes | None = None,
) -> Exchange:
    return Exchange(
        here.holders[provider],
        asker or requester(),
        link.nonce(),
        wanted or (WRAPPING,),
        token(provider) if shown is None else shown,
        secrets.token_bytes,
    )


def request(mine: Exchange, **fields: object) -> bytes:
    return mine.request(attest(mine.binding, **fields))


def test_a_new_share_is_wrapped_and_proven_through_a_release(running: Releasing) -> None:
    share, before = secrets.token_bytes(len(SHARE)), len(running.records())
    with running.link("gcp") as link:
        kms = running.released("gcp", link)
        assert kms.unwrap(kms.wrap(share, SHARE_AAD), SHARE_AAD) == share
    granted = running.records()[before:]
    for decision, operation in zip(granted, ("wrap", "unwrap"), strict=True):
        assert isinstance(decision, ReleaseGranted)
        verify_event(decision, running.holders["gcp"].signing_key)
        assert (decision.simulated, decision.operations) == (True, (operation,))


Made: TypeAlias = Callable[[Releasing, ReleaseLink], bytes]


class Case(NamedTuple):
    """A request, and the reason of its refusal."""

    made: Made
    reason: ReleaseReason
    code: str | None = None


def good(*wanted: KmsRequest, shown: bytes | None = None, asker: Requester | None = None) -> Made:
    def made(here: Releasing, link: ReleaseLink) -> bytes:
        with exchange(here, link, *wanted, shown=shown, asker=asker) as mine:
            return request(mine)

    return made


def with_changed(*path: str, to: object) -> Made:
    return lambda here, link: changed(good()(here, link), *path, to=to)


def with_report(**fields: object) -> Made:
    def made(here: Releasing, link: ReleaseLink) -> bytes:
        with exchange(here, link) as mine:
            return request(mine, **fields)

    return made


def with_an_invented_nonce(here: Releasing, _: ReleaseLink) -> bytes:
    holder = here.holders["gcp"]
    nonce = secrets.token_bytes(56)
    with Exchange(
        holder, requester(), nonce, (WRAPPING,), token("gcp"), secrets.token_bytes
    ) as mine:
        return request(mine)


def replayed(here: Releasing, link: ReleaseLink) -> bytes:
    raw = good()(here, link)
    assert isinstance(decode_decision(link.send(raw)), ReleaseGranted)
    return raw


def for_customers(here: Releasing, link: ReleaseLink) -> bytes:
    with exchange(here, link) as mine:
        return mine.request(attest(replace(mine.binding, purpose=Purpose.CUSTOMER_ATTESTATION)))


def with_a_broken_box(here: Releasing, link: ReleaseLink) -> bytes:
    """Return a request with a box of zeros that the report binds."""
    with exchange(here, link) as mine:
        ask = mine._ask.model_copy(update={"box": base64_text(bytes(200))})  # noqa: SLF001
        mine._ask = ask  # noqa: SLF001 - as a modified signer builds it
        mine._claims = mine._claims.model_copy(update={"key_set": ask.digest()})  # noqa: SLF001
        key_set = bytes.fromhex(ask.digest()[2:])
        return mine.request(attest(replace(mine.binding, key_set=key_set)))


AWS_PLACE = decode_context(SHARED.share_aad("aws"))
MALFORMED, EVIDENCE, TOKEN = (
    ReleaseReason.MALFORMED,
    ReleaseReason.EVIDENCE_REFUSED,
    ReleaseReason.TOKEN_REFUSED,
)
CASES = {
    "nothing": Case(lambda _, __: b"", MALFORMED),
    "no request": Case(lambda _, __: b"\xff" * 1_000, MALFORMED),
    "another organisation's": Case(with_changed("ask", "org", to="other"), ReleaseReason.ORG_WRONG),
    "another provider's": Case(
        with_changed("ask", "provider", to="aws"), ReleaseReason.PROVIDER_WRONG
    ),
    "a nonce of one's own": Case(with_an_invented_nonce, ReleaseReason.NONCE_UNKNOWN),
    "sent again": Case(replayed, ReleaseReason.NONCE_USED),
    "changed under way": Case(
        with_changed("ask", "boot", to="0x" + "00" * 32), ReleaseReason.ASK_UNBOUND
    ),
    "an unusable ephemeral key": Case(
        with_changed("evidence", "claims", "ephemeral_key", to=base64_text(bytes(44))),
        ReleaseReason.EPHEMERAL_KEY_UNUSABLE,
    ),
    "another configuration": Case(
        good(asker=requester(configuration=CONFIGURATION[:-2] + "ff")),
        ReleaseReason.CONFIGURATION_REFUSED,
    ),
    "a debugged machine": Case(with_report(policy=0x30000 | 1 << 19), EVIDENCE, "debug_allowed"),
    "another image": Case(
        with_report(measurement=b"other".ljust(48)), EVIDENCE, "measurement_refused"
    ),
    "evidence for customers": Case(for_customers, EVIDENCE, "report_data_mismatch"),
    "an unreadable box": Case(with_a_broken_box, ReleaseReason.BOX_UNREADABLE),
    "no token": Case(good(shown=b""), TOKEN, "token_malformed"),
    "an old token": Case(
        good(shown=token("gcp", exp=1_700_000_000, iat=1_600_000_000)),
        TOKEN,
        "token_expired",
    ),
    "a token for another release": Case(
        good(shown=token("gcp", aud=audience("aws"))),
        TOKEN,
        "token_audience_refused",
    ),
    "another holder's share": Case(
        good(WrapRequest(SHARE, AWS_PLACE)), ReleaseReason.CONTEXT_REFUSED
    ),
    "an invented blob": Case(
        good(UnwrapRequest(bytes(90), SHARE_PLACE)), ReleaseReason.KMS_CORRUPT
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_has_its_reason_and_is_recorded(running: Releasing, case: str) -> None:
    made, reason, code = CASES[case]
    with running.link("gcp") as link:
        raw = made(running, link)
        refused = decode_decision(link.send(raw))
    assert isinstance(refused, ReleaseRefused), refused
    assert (refused.reason, refused.code) == (reason, code)
    verify_event(refused, running.holders["gcp"].signing_key)
    assert refused in running.records()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.DENY, ReleaseReason.KMS_DENIED),
        (Fault.FAIL, ReleaseReason.KMS_UNAVAILABLE),
        (Fault.HANG, ReleaseReason.KMS_UNAVAILABLE),
        (Fault.BAD_CHECKSUM, ReleaseReason.KMS_CORRUPT),
    ],
)
def test_an_error_of_the_kms_has_its_reason(
    running: Releasing, fault: Fault, reason: ReleaseReason
) -> None:
    with running.link("gcp") as link, running.peers.gcp.faults.on(fault):
        refused = decode_decision(link.send(good()(running, link)))
    assert isinstance(refused, ReleaseRefused)
    assert refused.reason is reason
    assert refused in running.records()


def test_two_providers_releases_do_not_open_each_others_shares(here: Releasing) -> None:
    here.set_up("gcp", "aws")
    for provider in ("gcp", "aws"):
        here.start(provider)
    with here.link("gcp") as gcp, here.link("aws") as aws:
        blob = here.released("gcp", gcp).wrap(SHARE, SHARE_AAD)
        other = here.released("aws", aws)
        with pytest.raises(KmsDeniedError, match="context_refused"):
            other.unwrap(blob, SHARE_AAD)
        with pytest.raises(CustodyError, match="kms_"):
            other.unwrap(blob, SHARED.share_aad("aws"))
        with pytest.raises(CorruptError, match="not the answer of release-gcp"):
            here.released("gcp", aws).unwrap(blob, SHARE_AAD)
    last = here.records()[-1]
    assert isinstance(last, ReleaseRefused)
    assert (last.release, last.reason) == ("release-aws", ReleaseReason.PROVIDER_WRONG)


def test_a_request_from_before_a_restart_is_refused(here: Releasing) -> None:
    here.set_up("gcp")
    here.start("gcp")
    with here.link("gcp") as link:
        unsent, sent = (good()(here, link) for _ in range(2))
        assert isinstance(decode_decision(link.send(sent)), ReleaseGranted)
        here.kill("gcp")
        here.start("gcp")
        for raw in (unsent, sent):
            refused = decode_decision(link.send(raw))
            assert isinstance(refused, ReleaseRefused)
            assert refused.reason is ReleaseReason.NONCE_UNKNOWN


@pytest.mark.parametrize("when", When)
def test_killed_around_its_record_it_sends_no_answer(
    here: Releasing, kafka: Kafka, when: When
) -> None:
    """With a record the answer is lost and requested again; without one nothing was granted."""
    here.set_up("gcp")
    with closing(KafkaProxy(int(kafka.address.rpartition(":")[2]))) as proxy:
        here.doors["gcp"] = f"127.0.0.1:{proxy.port}"
        here.start("gcp")
        with here.link("gcp") as link:
            raw = good()(here, link)
            proxy.arm(Point(1, Api.PRODUCE, when), lambda: here.kill("gcp"))
            with pytest.raises(ReleaseUnreachableError):
                link.send(raw)
        proxy.await_reached()
        recorded = [one for one in here.records() if one.request == request_digest(raw)]
        assert [type(one) for one in recorded] == [ReleaseGranted] * (when is When.AFTER)
        here.start("gcp")
        with here.link("gcp") as link:
            refused = decode_decision(link.send(raw))
            assert isinstance(refused, ReleaseRefused)
            assert refused.reason is ReleaseReason.NONCE_UNKNOWN
            assert here.released("gcp", link).wrap(SHARE, SHARE_AAD)


def test_without_an_answer_of_kafka_the_release_sends_none(here: Releasing, kafka: Kafka) -> None:
    """It is unknown whether the record was written, so the process ends."""
    here.set_up("gcp")
    here.start("gcp")
    with here.link("gcp") as link:
        raw = good()(here, link)
        kafka.pause()
        try:
            with pytest.raises(ReleaseUnreachableError):
                link.send(raw)
            assert here.await_end("gcp") == ExitCode.HALTED
            assert "not known whether a decision" in here.log("gcp")
        finally:
            kafka.resume()
