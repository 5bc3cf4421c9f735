"""``sixgate custody`` on Kafka: answers over mutual TLS, and when it does not answer."""

import base64
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from schemas.dsse import READ_REQUEST_TYPE
from schemas.keys.secret_requests import SecretRequest
from schemas.record import Outgoing
from schemas.registry.access import Grant
from schemas.registry.records import AccessSet, Entry, VaultCreated
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from signer.custody.hpke import HpkeKey
from sixgate.api import ApiError
from sixgate.api.operator.connection import connect
from sixgate.authoring import operator
from sixgate.authoring.secret_reader import SecretReader
from sixgate.authoring.vault_orders import NewSecret, Orderer, VaultId, store
from sixgate.cli.exit_codes import ExitCode
from sixgate.clocks import wall_ms
from sixgate.config.internal_servers import CustodyAddress
from sixgate.config.sections import TlsFiles
from sixgate.custody.link import CustodyLink
from sixgate.data_folder.key_files import create_key_file
from tests.harness.broker.kafka_proxy import Api, KafkaProxy, Point, When
from tests.harness.broker.shared import shared_kafka
from tests.harness.cli.forked import ForkedCommandLine
from tests.harness.pipeline.embedded import ACCOUNT, make_folder
from tests.harness.pipeline.scaled import Scaled, on_kafka, without_ledger
from tools.local.certificates import Authority
from tools.local.kafka import Kafka
from tools.local.ports import HOST, free_port

SEED = secrets.token_bytes(32)
TRADER = Ed25519Signer("trader", SEED)
VAULT, PATH, VALUE = "main", "prod/db", b"correct horse"
ENDS_S_MAX = 60


@dataclass
class CustodyOnKafka:
    """An organisation on Kafka with one secret, and custody's address."""

    scaled: Scaled
    kafka: Kafka
    authority: Authority
    port: int

    def address(self, client: str = "operators") -> CustodyAddress:
        own = self.authority.issue(client)
        tls = TlsFiles(ca=self.authority.file, certificate=own, key=own)
        return CustodyAddress(url=f"https://{HOST}:{self.port}", tls=tls, call_ms_max=60_000)

    def start(self) -> None:
        own = self.authority.issue("custody")
        self.scaled.more["custody"] = (
            f'[custody]\nport = {self.port}\ntls.ca = "{self.authority.file}"\n'
            f'tls.certificate = "{own}"\ntls.key = "{own}"\n'
        )
        self.scaled.start("custody")
        self.scaled.await_ready("custody")

    def read(self) -> bytes:
        with closing(CustodyLink(self.address())) as link:
            reader = SecretReader(link, "acme", ACCOUNT, TRADER, wall_ms)
            (secret,) = reader.ask("get", VAULT, PATH)
        return bytes.fromhex(str(secret.value)[2:])

    def send(self, raw: bytes) -> str:
        """Return the error code of a refused read."""
        with closing(CustodyLink(self.address())) as link, pytest.raises(ApiError) as caught:
            link.read_secret(base64.b64encode(raw).decode())
        return caught.value.code

    def accesses(self) -> list[str]:
        """Return the ids of the access records."""
        records = [orjson.loads(raw) for raw in on_kafka(self.scaled.broker)(Topic.AUDIT)]
        return [record["id"] for record in records if record["type"] == "secret.access"]

    def ended(self) -> int:
        return self.scaled.processes.pop("custody").wait(ENDS_S_MAX)


@pytest.fixture(scope="module")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CustodyOnKafka]:
    """Store a secret with the embedded pipeline, then publish everything on Kafka."""
    path = tmp_path_factory.mktemp("custody")
    folder = make_folder(path / "data", [TRADER])
    create_key_file(folder.agent_key("trader"), SEED)
    granted = Grant(effect="allow", vault=VAULT, paths="prod/*", rights=("read",))
    with connect(folder.path) as api:
        entries: list[Entry] = [
            VaultCreated(account=ACCOUNT, vault=VAULT),
            AccessSet(agent="trader", grants=(granted,)),
        ]
        operator.register(api, folder.admin(), entries, wall_ms())
        by = Orderer(api, folder.admin(), wall_ms())
        store(by, VaultId(ACCOUNT, VAULT), NewSecret(PATH, 1, "password", VALUE))
        events = [event["event"].encode() for event in api.vault_events()]
    with without_ledger(folder) as scaled:
        scaled.send([Outgoing(Topic.VAULT, ACCOUNT, event) for event in events])
        yield CustodyOnKafka(scaled, shared_kafka(), Authority(path / "identities"), free_port())


@pytest.fixture
def here(organisation: CustodyOnKafka) -> Iterator[CustodyOnKafka]:
    yield organisation
    organisation.scaled.doors.clear()
    organisation.scaled.close()
    organisation.scaled.processes.clear()


def request() -> bytes:
    said = SecretRequest(
        org="acme",
        account=ACCOUNT,
        agent="trader",
        operation="get",
        vault=VAULT,
        path=PATH,
        reply_to=f"0x{HpkeKey(secrets.token_bytes(32)).public_key.hex()}",
        nonce=f"0x{secrets.token_hex(16)}",
        requested_at_ms=wall_ms(),
    )
    return TRADER.sign_envelope(READ_REQUEST_TYPE, said.encode()).encode()


def test_a_secret_is_read_over_mutual_tls_and_recorded(here: CustodyOnKafka) -> None:
    here.start()
    before = len(here.accesses())
    assert here.read() == VALUE
    assert len(here.accesses()) == before + 1
    records = on_kafka(here.scaled.broker)(Topic.AUDIT)
    assert orjson.loads(records[-1])["client_address"] == HOST
    assert any(b'"action":"kms.call"' in raw and b"unwrap" in raw for raw in records)
    assert not any(VALUE in raw or VALUE.hex().encode() in raw for raw in records)
    counted = here.scaled.metrics("custody")["sixgate_decisions_total"]
    assert {tuple(sorted(labels)): count for labels, count in counted.items()} == {
        ("", "secret.get"): 1
    }
    with closing(CustodyLink(here.address("producers"))) as link, pytest.raises(ApiError):
        link.reading_key()
    here.scaled.stop("custody")


def test_the_command_reads_through_the_configured_custody(
    here: CustodyOnKafka, tmp_path: Path
) -> None:
    here.start()
    address = here.address()
    assert address.tls
    file = tmp_path / "commands.toml"
    file.write_text(
        f'data = "{here.scaled.folder.path}"\n[kafka]\nservers = "{here.scaled.servers}"\n'
        f'prefix = "{here.scaled.prefix}"\n'
        f'[custody_at]\nurl = "{address.url}"\ntls.ca = "{address.tls.ca}"\n'
        f'tls.certificate = "{address.tls.certificate}"\ntls.key = "{address.tls.key}"\n'
    )
    words = ("secrets", "get", VAULT, PATH, "--agent", "trader", "--config", str(file))
    done = ForkedCommandLine(None).run(*words)
    assert (done.code, done.out) == (ExitCode.OK, VALUE.decode()), done.err
    here.scaled.stop("custody")
    absent = ForkedCommandLine(None).run(*words)
    assert absent.code == ExitCode.UNREACHABLE
    assert "sixgate custody" in absent.sentence


@pytest.mark.parametrize("when", When)
def test_killed_while_writing_its_record_it_has_given_no_answer(
    here: CustodyOnKafka, when: When
) -> None:
    with closing(KafkaProxy(int(here.kafka.address.rpartition(":")[2]))) as proxy:
        here.scaled.doors["custody"] = f"{HOST}:{proxy.port}"
        here.start()
        before = here.accesses()
        proxy.arm(Point(1, Api.PRODUCE, when), lambda: here.scaled.kill("custody"))
        assert here.send(request()) == "custody_absent"
        proxy.await_reached()
        assert len(here.accesses()) - len(before) == (when is When.AFTER)


def test_without_kafkas_acknowledgement_custody_gives_no_answer_and_ends(
    here: CustodyOnKafka,
) -> None:
    """It is unknown whether the record was written, so no answer is sent."""
    with closing(KafkaProxy(int(here.kafka.address.rpartition(":")[2]))) as proxy:
        here.scaled.doors["custody"] = f"{HOST}:{proxy.port}"
        here.start()
        proxy.arm(Point(1, Api.PRODUCE, When.BEFORE), here.kafka.pause)
        try:
            assert here.send(request()) == "custody_absent"
            # It ends for whichever fails first, as reads fail, too.
            assert here.ended() in (ExitCode.HALTED, ExitCode.UNREACHABLE)
        finally:
            here.kafka.resume()


def test_nothing_is_read_after_a_clock_jump(here: CustodyOnKafka) -> None:
    here.start()
    here.scaled.set_clock("custody", 3_600)
    try:
        before = here.accesses()
        assert here.send(request()) == "custody_absent"
        assert here.ended() == ExitCode.HALTED
        assert here.accesses() == before
    finally:
        here.scaled.set_clock("custody", 0)
