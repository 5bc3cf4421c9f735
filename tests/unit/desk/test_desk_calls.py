"""A desk behind a link signs what its scope covers, and nothing that it cannot check."""

import base64
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from schemas.dsse import KEY_REQUEST_TYPE, REGISTRY_TYPE, Envelope
from schemas.registry.policy import Policy
from schemas.registry.records import (
    AccountOpened,
    AgentSet,
    Entry,
    PolicySet,
    ServiceSet,
    VaultCreated,
)
from sixgate.api import ApiError
from sixgate.api.errors import api_error
from sixgate.api.server import Limits, Listen, Tcp, serving
from sixgate.authoring import operator
from sixgate.authoring.vault_orders import NewSecret, VaultId, store
from sixgate.clocks import wall_ms
from sixgate.config.internal_servers import DeskAddress
from sixgate.data_folder.folder import DESK, GATEWAY
from sixgate.data_folder.key_files import load_key_file
from sixgate.desk.desk import AdminDesk, NoDesk
from sixgate.desk.link import DeskApi
from sixgate.desk.service import DESK_CALLS, DeskService
from sixgate.desk.unsigned import Unsigned
from sixgate.remote_calls.calls_app import CallsApp
from tests.harness.api import ACCOUNT, Api, running_api
from tests.harness.builders.cases import MALLORY
from tools.local.ports import free_port

POLICY = PolicySet(policy_id="bot", policy=Policy(tx_max_value_eth="1"))
AGENT = AgentSet(
    agent="bot",
    account=ACCOUNT,
    gateway=GATEWAY,
    policy_id="bot",
    active=True,
    intents_api_enabled=True,
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("desk")) as found:
        yield found


@pytest.fixture(scope="module")
def link(api: Api) -> Iterator[DeskApi]:
    """Yield the gateway's side of a desk that runs behind HTTP."""
    key = load_key_file(api.folder.key(DESK), DESK)
    service = DeskService(api.node.backend.administer, key, wall_ms, "gateway")
    app = CallsApp(DESK_CALLS, lambda _caller: service, api_error)
    with (
        serving(app, Listen(tcp=(Tcp(),)), Limits()) as address,
        closing(DeskApi(api.node.backend, DeskAddress(url=address.url))) as made,
    ):
        yield made


@pytest.fixture
def desk(link: DeskApi) -> AdminDesk:
    return AdminDesk(link, Unsigned(), wall_ms)


def record(api: Api, entry: Entry, at_ms: int) -> bytes:
    """Return an unsigned record that continues the registry."""
    registry = api.node.backend.read.registered
    chained = (registry.record_count, registry.last_digest)
    return operator.record_envelope(Unsigned(), registry.org, chained, entry, at_ms)[0]


def test_records_and_orders_in_scope_are_signed_and_take_effect(
    api: Api, desk: AdminDesk, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "sixgate.desk"):
        desk.register([POLICY, VaultCreated(account=ACCOUNT, vault="main", mode="envelope")])
        key = operator.provision(desk.admin(), operator.KeyTarget(ACCOUNT, "keys/hot"))
        secret = NewSecret("prod/token", 1, "password", b"value")
        stored = store(desk.orderer(), VaultId(ACCOUNT, "main"), secret)
    assert api.node.backend.read.registered.policies["bot"].policy == POLICY.policy
    assert (key["path"], stored["path"]) == ("keys/hot", "prod/token")
    lines = [line for line in caplog.records if line.name == "sixgate.desk"]
    assert {line.msg for line in lines} == {"desk.signed"}
    assert {"policy.set", "key.request"} <= {line.__dict__["kind"] for line in lines}


@pytest.mark.parametrize(
    "entry",
    [
        ServiceSet(role="ledger", name="mine", public_key="0x" + "11" * 32, active=True),
        AccountOpened(account="more"),
    ],
)
def test_record_outside_the_scope_is_refused(api: Api, desk: AdminDesk, entry: Entry) -> None:
    before = api.node.backend.read.registered.record_count
    with pytest.raises(ApiError) as caught:
        desk.register([entry])
    assert caught.value.code == "registry_refused"
    assert api.node.backend.read.registered.record_count == before


@contextmanager
def gateway_deactivated(api: Api) -> Iterator[None]:
    active = api.node.backend.read.registered.services["gateway", GATEWAY]
    admin = api.folder.admin()
    operator.register(api.node, admin, [active.model_copy(update={"active": False})], wall_ms())
    yield
    operator.register(api.node, admin, [active], wall_ms())


def new_key(desk: AdminDesk) -> None:
    operator.provision(desk.admin(), operator.KeyTarget(ACCOUNT, "keys/of-a-thief"))


def new_secret(desk: AdminDesk) -> None:
    store(desk.orderer(), VaultId(ACCOUNT, "main"), NewSecret("prod/a", 1, "password", b"value"))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda desk: desk.register([POLICY]), "registry_refused"),
        (lambda desk: desk.register([AGENT]), "registry_refused"),
        (new_key, "key_refused"),
        (new_secret, "vault_refused"),
    ],
    ids=["a policy", "an agent", "a key", "a secret"],
)
def test_a_deactivated_gateway_changes_nothing_through_the_desk(
    api: Api, desk: AdminDesk, change: Callable[[AdminDesk], None], code: str
) -> None:
    """A thief of the gateway still has its certificate, which the desk's TLS accepts."""
    if (ACCOUNT, "main") not in api.node.backend.read.registered.vaults:
        desk.register([VaultCreated(account=ACCOUNT, vault="main", mode="envelope")])
    with gateway_deactivated(api):
        before = api.node.backend.read.registered.record_count
        with pytest.raises(ApiError, match="gateway gateway-0 is not active") as caught:
            change(desk)
        assert caught.value.code == code
        assert api.node.backend.read.registered.record_count == before
    desk.register([POLICY])


def signed_by_another(raw: bytes) -> bytes:
    return MALLORY.sign_envelope(REGISTRY_TYPE, Envelope.decode(raw).body()).encode()


def of_another_kind(raw: bytes) -> bytes:
    return Unsigned().sign_envelope(KEY_REQUEST_TYPE, Envelope.decode(raw).body()).encode()


def with_other_bytes(raw: bytes) -> bytes:
    body = Envelope.decode(raw).body()
    return Unsigned().sign_envelope(REGISTRY_TYPE, body.replace(b"{", b"{ ", 1)).encode()


@pytest.mark.parametrize(
    "change", [signed_by_another, of_another_kind, with_other_bytes, lambda _: b"{}", lambda _: b""]
)
def test_malformed_record_is_not_signed(
    api: Api, link: DeskApi, change: Callable[[bytes], bytes]
) -> None:
    raw = change(record(api, POLICY, wall_ms()))
    with pytest.raises(ApiError) as caught:
        link.register(base64.b64encode(raw).decode())
    assert caught.value.code == "request_malformed"


@pytest.mark.parametrize("minutes", [-6, 6])
def test_record_of_another_time_is_not_signed(api: Api, link: DeskApi, minutes: int) -> None:
    raw = record(api, POLICY, wall_ms() + minutes * 60_000)
    with pytest.raises(ApiError, match="clock") as caught:
        link.register(base64.b64encode(raw).decode())
    assert caught.value.code == "request_malformed"


def test_desk_that_does_not_answer_leaves_the_result_unknown(api: Api) -> None:
    address = DeskAddress(url=f"http://127.0.0.1:{free_port()}")
    with closing(DeskApi(api.node.backend, address)) as absent, pytest.raises(ApiError) as caught:
        AdminDesk(absent, Unsigned(), wall_ms).register([POLICY])
    assert caught.value.code == "connection_lost"


def test_without_a_desk_every_change_is_refused_with_the_way_to_make_it() -> None:
    desk = NoDesk()
    for change in (lambda: desk.register([POLICY]), desk.admin, desk.orderer):
        with pytest.raises(ApiError, match="administers with the CLI") as caught:
            change()
        assert caught.value.code == "desk_absent"
