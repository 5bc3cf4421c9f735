"""The ledger on a real ClickHouse server: its users, and a database per test."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from streams.ledger.clickhouse import ClickHouse
from streams.ledger.migrations import migrate
from streams.ledger.server import Server
from tools.local.clickhouse import ClickHouse as LocalServer

USERS = Path(__file__).parents[3] / "infra" / "clickhouse" / "users.xml"
ADMIN = "admin"
ROLES = ("ledger_writer", "ledger_reader", "ledger_ddl")
# The committed grants are for this database; the tests' servers extend them to more databases.
DATABASE = "sixgate"
DATABASES = [f"{DATABASE}_{number}" for number in range(16)]
_GRANT = re.compile(rf"<query>[^<]* ON {DATABASE}[.][^<]*</query>")
# Has every right, as an attacker who controls the machine.
_ADMIN_USER = f"""
        <{ADMIN}>
            <password/>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
        </{ADMIN}>
    </users>"""


def password(role: str) -> str:
    """Return the password of a role in the tests."""
    return f"the password of {role}"


def server_with_roles(folder: Path) -> LocalServer:
    """Return a server, not yet started, with the committed users and an administrator."""
    return LocalServer(folder, users=users_with_roles(folder))


def users_with_roles(folder: Path) -> Path:
    """Return a file with the committed users and an administrator."""
    for role in ROLES:
        digest = hashlib.sha256(password(role).encode()).hexdigest()
        os.environ[f"SIXGATE_{role.upper()}_SHA256"] = digest
    folder.mkdir(parents=True, exist_ok=True)
    users = folder / "users.xml"
    committed = _GRANT.sub(_on_every_database, USERS.read_text("utf-8"))
    users.write_text(committed.replace("    </users>", _ADMIN_USER.lstrip("\n")))
    return users


def _on_every_database(grant: re.Match[str]) -> str:
    named = f" ON {DATABASE}."
    return "".join(grant[0].replace(named, f" ON {one}.") for one in (DATABASE, *DATABASES))


@contextmanager
def granted_database(server: LocalServer) -> Iterator[ClickHouse]:
    """Yield the administrator's connection to the database that the roles' grants cover."""
    clickhouse = ClickHouse.server(as_user(server))
    migrate(clickhouse)
    try:
        yield clickhouse
    finally:
        clickhouse.command(f"DROP DATABASE {clickhouse.database} SYNC")
        clickhouse.close()


def as_user(server: LocalServer, user: str = ADMIN, answer_s_max: int = 30) -> Server:
    """Return the connection settings of a user on a local server."""
    known = password(user) if user in ROLES else ""
    return Server("127.0.0.1", server.port, user, known, answer_s_max=answer_s_max)


@contextmanager
def databases(server: LocalServer) -> Iterator[Callable[[], ClickHouse]]:
    """Yield a function that makes a new migrated database; all are dropped at the end."""
    opened: list[ClickHouse] = []

    def fresh() -> ClickHouse:
        opened.append(ClickHouse.server(as_user(server), f"ledger_{uuid4().hex}"))
        migrate(opened[-1])
        return opened[-1]

    try:
        yield fresh
    finally:
        for clickhouse in opened:
            clickhouse.command(f"DROP DATABASE {clickhouse.database} SYNC")
            clickhouse.close()
