"""The ports over Kafka in a process that runs for long, with the real processes of a pipeline."""

import asyncio
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from uuid import uuid4

import pytest

from schemas.canonical import canonical_bytes
from schemas.intents.outcome import decode_outcome
from schemas.record import Outgoing
from schemas.registry.records import AccountOpened
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.answers.audit_queries import AuditFilter
from sixgate.answers.outcome_notifications import Notice
from sixgate.answers.pending_records import names_of
from sixgate.api import ApiError, Json
from sixgate.authoring import operator
from sixgate.backends.kafka.backend import Timeouts, following_backend, open_kafka_api
from sixgate.backends.operations import Operations
from sixgate.backends.ports import Backend
from sixgate.backends.waiting import expecting
from sixgate.clocks import wall_ms
from streams.kafka.errors import KafkaBusError
from streams.simulators.simulation import Call, SimulationFailure
from tests.harness.broker.kafka_proxy import Api, KafkaProxy, Point, When
from tests.harness.broker.shared import shared_kafka
from tests.harness.builders.waiting import until
from tests.harness.cli.clients import results, submit
from tests.harness.pipeline.embedded import ACCOUNT, Producer
from tests.harness.pipeline.scaled_organisation import ScaledOrganisation, scaled_organisation

TRADER = Producer(Ed25519Signer("trader", secrets.token_bytes(32)))
WAIT_S = 60
WAITS = 300
REFRESH_S = 1.0  # many times what a refresh takes
IMPATIENT = Timeouts(idle_s=1.0)


@dataclass
class Followed:
    """The ports, and the errors that must end the process."""

    backend: Backend
    errors: list[BaseException] = field(default_factory=list)


@pytest.fixture(scope="module")
def organised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScaledOrganisation]:
    with scaled_organisation(tmp_path_factory.mktemp("organised"), [TRADER.signer]) as found:
        yield found


@pytest.fixture
def followed(organised: ScaledOrganisation) -> Iterator[Followed]:
    errors: list[BaseException] = []
    with following_backend(organised.settings, organised.folder, errors.append) as backend:
        yield Followed(backend, errors)
    assert errors == []


def submitted(value: bytes) -> Outgoing:
    return Outgoing(Topic.SUBMITTED, ACCOUNT, value)


async def result_of(backend: Backend, value: bytes) -> Json | None:
    with expecting(backend, names_of(value, ACCOUNT)) as expected:
        await asyncio.to_thread(backend.submit.append, [submitted(value)])
        return await expected.result(WAIT_S)


async def results_of(backend: Backend, values: list[bytes]) -> list[Json | None]:
    return await asyncio.gather(*(result_of(backend, value) for value in values))


def test_many_requests_wait_at_the_same_time_and_each_gets_its_own_end(followed: Followed) -> None:
    values = [TRADER.signed(uuid4().hex) for _ in range(WAITS)]
    ends = asyncio.run(results_of(followed.backend, values))
    assert [end and end["intent"] for end in ends] == [
        names_of(value, ACCOUNT)[1] for value in values
    ]


def test_a_repetition_gets_the_whole_first_outcome(followed: Followed) -> None:
    value = TRADER.signed(uuid4().hex)
    first, again = (asyncio.run(result_of(followed.backend, value)) for _ in range(2))
    assert first
    assert again
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert again["result"] == first["result"]
    assert followed.backend.outcome(first["intent"]) == first["result"]


def test_a_forged_outcome_ends_no_wait(followed: Followed) -> None:
    value, notices = TRADER.signed(uuid4().hex), SimpleQueue[list[Notice]]()
    end = asyncio.run(result_of(followed.backend, TRADER.signed(uuid4().hex)))
    assert end
    stranger = Ed25519Signer("signer-0", secrets.token_bytes(32))
    true, intent = decode_outcome(canonical_bytes(end["result"])), names_of(value, ACCOUNT)[1]
    forged = true.model_copy(update={"intent": intent, "signature": None})
    with followed.backend.wait.watching([intent], notices):
        followed.backend.submit.append(
            [Outgoing(Topic.OUTCOMES, ACCOUNT, stranger.sign_event(forged)), submitted(value)]
        )
        ((_, seen),) = notices.get(timeout=WAIT_S)
    assert seen["sequence"] > end["result"]["sequence"]


def test_records_of_other_processes_become_visible_without_a_refresh(
    organised: ScaledOrganisation, followed: Followed
) -> None:
    account, read = f"a{uuid4().hex[:20]}", followed.backend.read
    before = read.account(ACCOUNT).spent_wei(wall_ms())
    with open_kafka_api(organised.settings, organised.folder) as other:
        operator.register(other, organised.folder.admin(), [AccountOpened(account=account)], 1)
        path = f"keys/k{uuid4().hex[:9]}"
        admin = operator.Admin(other, organised.folder.admin(), wall_ms())
        operator.provision(admin, operator.KeyTarget(ACCOUNT, path))
        assert results(submit(other, TRADER.signed(uuid4().hex, value_wei=7))) == ["signed"]
    until(lambda: account in read.registered.accounts)
    until(lambda: read.vaults.keys.find(ACCOUNT, path) is not None)
    until(lambda: read.account(ACCOUNT).spent_wei(wall_ms()) == before + 7)


def test_our_own_record_is_visible_when_it_is_registered(
    organised: ScaledOrganisation, followed: Followed
) -> None:
    account, api = f"a{uuid4().hex[:20]}", Operations(followed.backend)
    operator.register(api, organised.folder.admin(), [AccountOpened(account=account)], 1)
    assert account in followed.backend.read.registered.accounts


def test_nothing_changes_while_a_reader_needs_it_unchanged(
    organised: ScaledOrganisation, followed: Followed
) -> None:
    account, read = f"a{uuid4().hex[:20]}", followed.backend.read
    with open_kafka_api(organised.settings, organised.folder) as other:
        with read.unchanged():
            operator.register(other, organised.folder.admin(), [AccountOpened(account=account)], 1)
            refreshing = threading.Thread(target=read.refresh)
            refreshing.start()
            refreshing.join(REFRESH_S)  # it cannot end now, however long it gets
            followed.backend.submit.append([submitted(TRADER.signed(uuid4().hex))])
            assert account not in read.registered.accounts
        refreshing.join()
        assert account in read.registered.accounts


def test_the_audit_names_what_the_gateway_did_as_soon_as_it_is_recorded(
    followed: Followed,
) -> None:
    end = asyncio.run(result_of(followed.backend, TRADER.signed(uuid4().hex)))
    assert end
    wanted = AuditFilter(resource=f"transaction:{end['intent']}")
    (event,) = followed.backend.evidence.ledger().settled().audit.page(wanted, 10)
    assert (event.action, event.actor) == ("transaction.signed", "agent:trader")


def test_what_a_process_lacks_is_refused_with_the_next_step(
    organised: ScaledOrganisation, followed: Followed
) -> None:
    with pytest.raises(ApiError, match="--url") as caught:
        followed.backend.evidence.attestation("0x" + "00" * 32)
    assert caught.value.code == "not_attested"
    without = organised.settings.model_copy(update={"custody_at": None})
    with open_kafka_api(without, organised.folder) as api:
        with pytest.raises(ApiError, match="custody_at") as caught:
            api.reading_key()
        assert caught.value.code == "custody_absent"
    call = Call(account=ACCOUNT, chain_id=1, sender="0x" + "11" * 20, to="0x" + "22" * 20)
    (answer,) = followed.backend.read.simulate([call])
    assert isinstance(answer, SimulationFailure)


def halted(backend: Backend) -> bool:
    try:
        backend.wait.check_deciding(0)
    except ApiError as error:
        return error.code == "halted" and "sixgate signer" in str(error)
    return False


def test_a_missing_signer_is_noticed_however_short_each_request_waits(
    organised: ScaledOrganisation,
) -> None:
    value, notices = TRADER.signed(uuid4().hex), SimpleQueue[list[Notice]]()
    errors = list[BaseException]()
    signer = next(server for server in organised.processes.all if server.folder.name == "signer")
    with (
        following_backend(
            organised.settings, organised.folder, errors.append, IMPATIENT
        ) as backend,
        backend.wait.watching(names_of(value, ACCOUNT), notices),
    ):
        signer.pause()
        try:
            backend.submit.append([submitted(value)])
            until(lambda: halted(backend))
        finally:
            signer.resume()
        assert notices.get(timeout=WAIT_S)
        assert not halted(backend)
    assert errors == []


def test_an_unknown_outcome_of_a_write_ends_the_process(organised: ScaledOrganisation) -> None:
    errors = list[BaseException]()
    proxy = KafkaProxy(int(shared_kafka().address.rpartition(":")[2]))
    kafka = organised.settings.kafka.model_copy(update={"servers": f"127.0.0.1:{proxy.port}"})
    settings = organised.settings.model_copy(update={"kafka": kafka})
    with following_backend(settings, organised.folder, errors.append) as backend:
        backend.submit.append([submitted(TRADER.signed(uuid4().hex))])
        assert errors == []
        proxy.arm(Point(1, Api.PRODUCE, When.AFTER), proxy.close)
        with pytest.raises(ApiError) as caught:
            backend.submit.append([submitted(TRADER.signed(uuid4().hex))])
    assert caught.value.code == "connection_lost"
    assert isinstance(errors[0], KafkaBusError)
