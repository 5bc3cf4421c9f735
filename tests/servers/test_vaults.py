"""Vaults through the ``Api``: one contract, embedded and on Kafka; on Kafka also restores."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.keys.client_share import ClientShareContext
from schemas.keys.vault_backup import BackedUpVault, Backup, BackupHeader
from schemas.registry.access import Grant
from schemas.registry.records import AccessSet, Entry, VaultCreated
from signer.custody.event_signing import Ed25519Signer
from signer.custody.hpke import HpkeKey
from sixgate.api import Api, ApiError
from sixgate.api.operator.connection import connect
from sixgate.authoring import operator
from sixgate.authoring.secret_reader import SecretReader
from sixgate.authoring.vault_orders import NewSecret, Orderer, VaultId, change_key, store
from sixgate.backends.kafka.backend import open_kafka_api
from sixgate.clocks import wall_ms
from sixgate.config.process_settings import Settings, load_settings
from sixgate.data_folder.folder import Folder
from sixgate.operate.restoration import RestoreError
from sixgate.operate.restore_kafka import restore
from tests.harness.builders.waiting import until
from tests.harness.pipeline.embedded import ACCOUNT, make_folder
from tests.harness.pipeline.scaled import Scaled, without_ledger
from tests.harness.pipeline.scaled_organisation import scaled_organisation

TRADER = Ed25519Signer("trader", secrets.token_bytes(32))
MAIN, SPLIT = VaultId(ACCOUNT, "main"), VaultId(ACCOUNT, "split")


@pytest.fixture(scope="module", params=["embedded", "scaled"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Api, Folder]]:
    path = tmp_path_factory.mktemp(request.param)
    if request.param == "embedded":
        folder = make_folder(path / "data", [TRADER])
        with connect(folder.path) as api:
            yield founded(api, folder), folder
    else:
        with (
            scaled_organisation(path, [TRADER]) as organised,
            open_kafka_api(organised.settings, organised.folder) as api,
        ):
            yield founded(api, organised.folder), organised.folder


def founded(api: Api, folder: Folder) -> Api:
    entries: list[Entry] = [
        VaultCreated(account=ACCOUNT, vault="main"),
        VaultCreated(account=ACCOUNT, vault="split", mode="2of3_multi_hsm_client"),
        AccessSet(agent="trader", grants=()),
    ]
    operator.register(api, folder.admin(), entries, wall_ms())
    return api


def admin(served: tuple[Api, Folder]) -> Orderer:
    return Orderer(served[0], served[1].admin(), wall_ms())


def test_a_version_is_stored_once_and_the_next_one_follows(served: tuple[Api, Folder]) -> None:
    by = admin(served)
    for version in (1, 2):
        made = store(by, MAIN, NewSecret("db", version, "password", b"value"))
        assert (made["version"], made["generated"], made["mode"]) == (version, False, "envelope")
    assert store(by, MAIN, NewSecret("token", 1, "api_key"))["generated"]
    with pytest.raises(ApiError, match="version 2 of db") as caught:
        store(by, MAIN, NewSecret("db", 2, "password", b"another"))
    assert caught.value.code == "vault_refused"
    found = [(one["path"], one["version"]) for one in by.api.vault(*MAIN)["secrets"]]
    assert found == [("db", 1), ("db", 2), ("token", 1)]


def test_a_client_gets_its_share_sealed_to_its_key(served: tuple[Api, Folder]) -> None:
    key = f"0x{HpkeKey(secrets.token_bytes(32)).public_key.hex()}"
    made = store(admin(served), SPLIT, NewSecret("cold", 1, "note", b"value", key))
    assert made["client_share"]
    with pytest.raises(ApiError, match="public key"):
        store(admin(served), SPLIT, NewSecret("other", 1, "note", b"value"))


def test_an_unauthorised_order_is_refused_with_a_reason_and_stores_nothing(
    served: tuple[Api, Folder],
) -> None:
    api = served[0]
    agent = Orderer(api, TRADER, wall_ms(), "trader")
    stranger = Orderer(api, Ed25519Signer("admin-0", secrets.token_bytes(32)), wall_ms())
    for by, why in ((agent, "No grant"), (stranger, "signed")):
        with pytest.raises(ApiError, match=why) as caught:
            store(by, MAIN, NewSecret("mine", 1, "note", b"value"))
        assert caught.value.code == "vault_refused"
    assert "mine" not in [one["path"] for one in api.vault(*MAIN)["secrets"]]


def test_a_vaults_new_key_rewraps_every_version(served: tuple[Api, Folder]) -> None:
    by = admin(served)
    store(by, MAIN, NewSecret("turned", 1, "note", b"value"))
    assert by.api.vault(*MAIN)["key_changes"] == 0
    assert change_key(by, MAIN, "kek", 1)["sequence"] == 1
    until(lambda: by.api.vault(*MAIN)["behind"] == 0)
    assert by.api.vault(*MAIN)["key_changes"] == 1
    later = by._replace(at_ms=by.at_ms + 1)
    with pytest.raises(ApiError) as caught:
        change_key(later, MAIN, "kek", 1)
    assert caught.value.code == "vault_refused"


def test_a_granted_agent_reads_and_others_are_refused_with_a_code(
    served: tuple[Api, Folder],
) -> None:
    api, folder = served
    store(admin(served), MAIN, NewSecret("prod/db", 1, "password", b"hunter2"))
    granted = Grant(effect="allow", vault="main", paths="prod/*", rights=("read",))
    operator.register(
        api, folder.admin(), [AccessSet(agent="trader", grants=(granted,))], wall_ms()
    )
    reader = SecretReader(api, "acme", ACCOUNT, TRADER, wall_ms)
    (secret,) = reader.ask("get", "main", "prod/db")
    assert secret.value == f"0x{b'hunter2'.hex()}"
    assert [one.path for one in reader.ask("list", "main")] == ["prod/db"]
    assert [one.version for one in reader.ask("history", "main", "prod/db")] == [1]
    stranger = SecretReader(
        api, "acme", ACCOUNT, Ed25519Signer("trader", secrets.token_bytes(32)), wall_ms
    )
    for by, path, code in (
        (reader, "db", "access_refused"),
        (reader, "prod/none", "secret_unknown"),
        (stranger, "prod/db", "read_refused"),
    ):
        with pytest.raises(ApiError) as caught:
            by.ask("get", "main", path)
        assert caught.value.code == code
    operator.register(api, folder.admin(), [AccessSet(agent="trader", grants=())], wall_ms())
    with pytest.raises(ApiError, match="No grant"):
        reader.ask("get", "main", "prod/db")


def test_a_client_share_opens_through_the_serving_process(served: tuple[Api, Folder]) -> None:
    api, folder = served
    client = HpkeKey(secrets.token_bytes(32))
    key = f"0x{client.public_key.hex()}"
    made = store(admin(served), SPLIT, NewSecret("seed", 1, "note", b"value", key))
    place = ClientShareContext(org="acme", account=ACCOUNT, vault="split", path="seed", version=1)
    share = client.open(bytes.fromhex(made["client_share"][2:]), place.to_client())
    granted = Grant(effect="allow", vault="split", paths="**", rights=("read",))
    operator.register(
        api, folder.admin(), [AccessSet(agent="trader", grants=(granted,))], wall_ms()
    )
    reader = SecretReader(api, "acme", ACCOUNT, TRADER, wall_ms)
    sealed = reader.share_of("split", "seed", 1, share)
    (secret,) = reader.ask("get", "split", "seed", 1, sealed)
    assert secret.value == f"0x{b'value'.hex()}"
    with pytest.raises(ApiError) as caught:
        reader.ask("get", "split", "seed", 1)
    assert caught.value.code == "custody_failed"


def backup_of(events: list[bytes]) -> Backup:
    backed_up = BackedUpVault(account=ACCOUNT, vault="main", mode="envelope")
    header = BackupHeader(org="acme", made_at_ms=1, events=len(events), vaults=(backed_up,))
    return Backup(header, tuple(events))


def settings_of(scaled: Scaled) -> Settings:
    file = scaled.folder.path / "restore.toml"
    kafka = f'[kafka]\nservers = "{scaled.servers}"\ncopies = 1\nin_sync = 1\ninsecure_dev = true\n'
    kafka += f'prefix = "{scaled.prefix}"\n'
    file.write_text(f'data = "{scaled.folder.path}"\n{kafka}')
    return load_settings(file)


def test_a_lost_vault_topic_is_restored_without_a_rollback(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data", [TRADER])
    with connect(folder.path) as api:
        by = Orderer(founded(api, folder), folder.admin(), wall_ms())
        for version in (1, 2):
            store(by, MAIN, NewSecret("db", version, "password", b"value"))
        events = [event["event"].encode() for event in api.vault_events()]
    with without_ledger(folder) as scaled:
        settings = settings_of(scaled)
        assert restore(settings, folder, backup_of(events[:-1])) == len(events) - 1
        assert restore(settings, folder, backup_of(events)) == 1
        assert restore(settings, folder, backup_of(events)) == 0
        with pytest.raises(RestoreError, match="older"):
            restore(settings, folder, backup_of(events[:-1]))
        with open_kafka_api(settings, folder) as api:
            assert [one["version"] for one in api.vault(*MAIN)["secrets"]] == [1, 2]
            for nobody in (api.reading_key, lambda: api.read_secret("")):
                with pytest.raises(ApiError) as caught:
                    nobody()
                assert caught.value.code == "custody_absent"
            assert sorted(e["event"].encode() for e in api.vault_events()) == sorted(events)
