"""The rights of each role on a server: every role tries every action."""

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from streams.ledger.chain import EMPTY
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.entry import entry_of
from streams.ledger.errors import LedgerDeniedError, LedgerUnavailableError
from streams.ledger.migrations import migrate, refuse_unmigrated
from streams.ledger.query import ReadOnlySql
from streams.ledger.table import LedgerTable, batch_of
from streams.ledger.verify_sql import verify
from tests.harness.broker.ledger_servers import ROLES, as_user, granted_database
from tests.harness.builders.ledger import ORG, Pipeline, filled
from tools.local.clickhouse import ClickHouse as LocalServer

WRITER, READER, DDL = ROLES
NOT_GRANTED, READ_ONLY, SETTING_BOUND, DDL_PROHIBITED = 497, 164, 452, 392
HASHED = "seq, prev_hash, hash, topic, partition, offset, key, at_ms, event_id, body"
# The allowed roles; all others must be refused. No role has rights on other tables.
ACTIONS: dict[str, set[str]] = {
    f"SELECT {HASHED} FROM ledger LIMIT 1": {WRITER, READER, DDL},  # noqa: S608 - our own names
    "SELECT agent FROM ledger LIMIT 1": {READER, DDL},
    "SELECT * FROM intents LIMIT 1": {READER, DDL},
    "SELECT number FROM migrations LIMIT 1": {WRITER, READER, DDL},
    f"INSERT INTO ledger ({HASHED}) SELECT {HASHED} FROM ledger WHERE 0": {WRITER},  # noqa: S608
    "INSERT INTO migrations VALUES (9999, 'x', 'y')": {DDL},
    "CREATE TABLE IF NOT EXISTS migrations (x UInt8) ENGINE = MergeTree ORDER BY x": {DDL},
    "CREATE TABLE elsewhere (x String) ENGINE = URL('http://127.0.0.1:1/', 'CSV')": set(),
    "CREATE TABLE default.mine (x UInt8) ENGINE = MergeTree ORDER BY x": set(),
    "CREATE VIEW IF NOT EXISTS intents AS SELECT 1": {DDL},
    "CREATE DATABASE IF NOT EXISTS sixgate": {DDL},
    "CREATE DATABASE elsewhere": set(),
    "ALTER TABLE ledger DELETE WHERE seq = 0": set(),
    "ALTER TABLE ledger UPDATE body = '' WHERE seq = 0": set(),
    "DELETE FROM ledger WHERE seq = 0": set(),
    "ALTER TABLE ledger DROP CONSTRAINT chained": set(),
    "ALTER TABLE ledger DROP PARTITION 0": set(),
    "ALTER TABLE ledger MODIFY SETTING non_replicated_deduplication_window = 0": set(),
    "TRUNCATE TABLE ledger": set(),
    "DROP TABLE ledger": set(),
    "DROP DATABASE sixgate": set(),
    "RENAME TABLE ledger TO older": set(),
    "EXCHANGE TABLES ledger AND migrations": set(),
    "OPTIMIZE TABLE ledger FINAL": set(),
    "SYSTEM STOP MERGES sixgate.ledger": set(),
    "SYSTEM SHUTDOWN": set(),
    "KILL QUERY WHERE 1": set(),
    "GRANT SELECT ON *.* TO ledger_reader": set(),
    "CREATE USER someone": set(),
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'x String')": set(),
    "SELECT * FROM file('/etc/passwd', 'LineAsString')": set(),
    "SELECT * FROM remote('127.0.0.1', 'sixgate', 'ledger')": set(),
    "BACKUP TABLE ledger TO File('/tmp/ledger-backup')": set(),
}


@pytest.fixture(scope="module")
def admin(ledger_server: LocalServer) -> Iterator[ClickHouse]:
    with granted_database(ledger_server) as clickhouse:
        filled(clickhouse, Pipeline().run(2))
        yield clickhouse


@pytest.fixture(scope="module")
def roles(admin: ClickHouse, ledger_server: LocalServer) -> dict[str, ClickHouse]:
    assert admin.database == "sixgate"
    users = (*ROLES, "default")
    return {user: ClickHouse.server(as_user(ledger_server, user)) for user in users}


@pytest.mark.parametrize("role", [*ROLES, "default"])
@pytest.mark.parametrize("action", ACTIONS)
def test_each_role_has_exactly_its_rights(
    roles: dict[str, ClickHouse], action: str, role: str
) -> None:
    if role in ACTIONS[action]:
        roles[role].command(action)
        return
    assert code_of(roles[role], action) in {NOT_GRANTED, READ_ONLY}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_wrong_password_opens_nothing(
    ledger_server: LocalServer, role: str, password: str
) -> None:
    known = as_user(ledger_server, role)
    stranger = type(known)(known.host, known.port, role, password)
    with pytest.raises(LedgerDeniedError, match=r"user .*password") as refused:
        ClickHouse.server(stranger)
    assert "wrong" not in str(refused.value) + repr(stranger)


def test_the_ddl_role_migrates_and_other_roles_find_the_tables(
    admin: ClickHouse, roles: dict[str, ClickHouse]
) -> None:
    admin.command("TRUNCATE TABLE migrations")  # an action above wrote to it
    assert migrate(roles[DDL]) > 0
    assert migrate(roles[DDL]) == 0
    refuse_unmigrated(roles[WRITER])
    refuse_unmigrated(roles[READER])


def test_the_writer_appends_and_reads_back_with_its_grants(
    admin: ClickHouse, roles: dict[str, ClickHouse]
) -> None:
    table = LedgerTable(roles[WRITER], ORG)
    base = table.tip()
    assert base != EMPTY
    more = [entry_of(record) for record in Pipeline().run(4)[18:]]
    table.append(batch_of(base, more))
    assert verify(admin).rows == base.rows + len(more)


def test_the_reader_verifies_with_its_grants(roles: dict[str, ClickHouse]) -> None:
    assert verify(roles[READER]).rows >= 18


def test_users_queries_run_as_the_reader_only(roles: dict[str, ClickHouse]) -> None:
    with pytest.raises(LedgerDeniedError, match="connect as ledger_reader"):
        ReadOnlySql(roles[WRITER])


@pytest.mark.parametrize(
    "setting",
    [
        "max_memory_usage = 0",
        "max_memory_usage = 8000000000",
        "max_execution_time = 0",
        "max_execution_time = 301",
        "readonly = 0",
        "allow_ddl = 1",
    ],
)
def test_the_reader_cannot_raise_its_limits(roles: dict[str, ClickHouse], setting: str) -> None:
    query = f"SELECT count() FROM ledger SETTINGS {setting}"  # noqa: S608 - our own list
    assert code_of(roles[READER], query) in {READ_ONLY, SETTING_BOUND, DDL_PROHIBITED}


def code_of(clickhouse: ClickHouse, sql: str) -> int | None:
    """Return the server's error code for a refused statement."""
    with pytest.raises(LedgerUnavailableError) as refused:
        clickhouse.command(sql)
    cause = refused.value.__cause__
    assert isinstance(cause, DatabaseError)
    code: int | None = cause.code
    return code
