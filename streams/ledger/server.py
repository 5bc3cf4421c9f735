"""A ClickHouse server as the ledger's engine. ``embedded.py`` has the one inside this process."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import clickhouse_connect
from clickhouse_connect import common
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.httputil import get_pool_manager_options

from streams.ledger.errors import ANSWER_S_MAX, CONNECT_S_MAX
from streams.ledger.framed_http import FramedPools

# The library would also log to stderr what its exceptions already contain.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
# To renew connections by age, the library would keep the pools of all clients ever made.
common.set_setting("max_connection_age", 0)


class Engine(Protocol):
    """Opens connections. An ``in_process`` engine's folder belongs to one process at a time."""

    @property
    def in_process(self) -> bool:
        """Tell whether the engine runs inside this process."""

    def connect(self, database: str) -> Client:
        """Return a new connection with ``database`` as the current one."""

    def unreachable_advice(self) -> str:
        """Return what an operator should check when the engine does not answer."""


@dataclass(frozen=True)
class Tls:
    """PEM files: CA, client certificate, client key."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def files(self) -> dict[str, Any]:
        """Return the files that are set, by clickhouse-connect's option names."""
        files = {"ca_cert": self.ca, "client_cert": self.certificate, "client_cert_key": self.key}
        return {name: str(file) for name, file in files.items() if file is not None}


@dataclass(frozen=True)
class Server:
    """A ClickHouse server's HTTP or HTTPS address, with user, password and TLS files."""

    host: str
    port: int
    user: str = "default"
    password: str = field(default="", repr=False)
    tls: Tls | None = None
    answer_s_max: int = ANSWER_S_MAX
    in_process: bool = False

    def connect(self, database: str) -> Client:
        """Return a connection with its own pool; the database need not exist yet.

        The server checks the password also with a client certificate. Proxies of the environment
        are ignored.
        """
        pools = get_pool_manager_options(verify=True, **(self.tls.files() if self.tls else {}))
        client = clickhouse_connect.get_client(
            host=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            connect_timeout=min(CONNECT_S_MAX, self.answer_s_max),
            send_receive_timeout=self.answer_s_max,
            autogenerate_session_id=False,  # a session refuses a query while another one runs
            pool_mgr=FramedPools(**pools),
            interface="https" if self.tls else "http",
        )
        client.database = database
        return client

    def unreachable_advice(self) -> str:
        """Return what to check: the address."""
        return f"check that a ClickHouse server runs at {self.host}:{self.port}"
