"""Settings of several processes: TLS files, Kafka, registry heads, ledger's server, monitor."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from schemas.fields import Name
from sixgate.config.section import Section, loopback, read_secret_line
from sixgate.errors import SettingsError
from sixgate.logs import LEVELS
from streams.kafka.broker import Broker
from streams.kafka.broker import Tls as KafkaTls
from streams.kafka.names import Names
from streams.ledger.errors import ANSWER_S_MAX

if TYPE_CHECKING:  # only processes that connect load the client
    from streams.ledger.clickhouse import ClickHouse
    from streams.ledger.server import Server

HEAD_WAIT_S_MAX = 15


class TlsFiles(Section):
    """PEM files: CA, own certificate, own key."""

    ca: Path
    certificate: Path
    key: Path

    def unusable_error(self, where: str) -> SettingsError:
        """Return the error for unusable files; ``where`` names their settings."""
        return SettingsError(
            f"{self.ca}, {self.certificate} and {self.key} are not PEM files that belong together: "
            f"correct {where}"
        )


class KafkaSettings(Section):
    """Addresses of the brokers; beyond loopback TLS is required, unless ``insecure_dev``.

    Topics must have ``copies`` replicas, of which ``in_sync`` confirm each write. ``prefix``
    precedes the names of topics, groups, transactional ids and users, so that several organisations
    can share a cluster.
    """

    servers: str = "127.0.0.1:9092"
    prefix: str = ""
    tls: TlsFiles | None = None
    insecure_dev: bool = False
    copies: Annotated[int, Field(ge=1, le=32)] = 3
    in_sync: Annotated[int, Field(ge=1, le=32)] = 2

    @model_validator(mode="after")
    def _protected(self) -> Self:
        hosts = [server.rpartition(":")[0] for server in self.servers.split(",")]
        if self.tls is None and not self.insecure_dev and not all(map(loopback, hosts)):
            raise ValueError("brokers on other machines need TLS: add tls, or insecure_dev = true")
        return self

    @field_validator("prefix")
    @classmethod
    def _usable(cls, prefix: str) -> str:
        return Names(prefix).prefix

    def broker(self, client: str) -> Broker:
        """Return the connection settings for ``client``; raises ``SettingsError``."""
        files = self.tls
        tls = KafkaTls(files.ca, files.certificate, files.key) if files else None
        if files and tls and not tls.usable():
            raise files.unusable_error("[kafka.tls]")
        return Broker(self.servers, client, tls, Names(self.prefix))


class HeadSettings(Section):
    """Whether a process halts without a fresh registry head, and how long it waits for one."""

    head_required: bool = True
    head_wait_s_max: Annotated[int, Field(ge=1, le=HEAD_WAIT_S_MAX)] = HEAD_WAIT_S_MAX


class ClickHouseSettings(Section):
    """Address, user and password of the ledger's server; beyond loopback TLS is required.

    The password comes from the environment or from ``password_file``.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8123
    database: Name = "sixgate"
    user: str = "ledger_writer"
    password: SecretStr = SecretStr("")
    password_file: Path | None = None
    answer_s_max: Annotated[int, Field(ge=1, le=300)] = ANSWER_S_MAX
    tls: TlsFiles | None = None

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if self.tls is None and not loopback(self.host):
            raise ValueError("a server on another machine needs TLS: add tls")
        return self

    def server(self) -> "Server":
        """Return the connection settings; raises ``SettingsError``."""
        from streams.ledger.server import Server, Tls

        files = self.tls
        tls = Tls(files.ca, files.certificate, files.key) if files else None
        password = self.password.get_secret_value() or self._password_in_file()
        return Server(self.host, self.port, self.user, password, tls, self.answer_s_max)

    def _password_in_file(self) -> str:
        return read_secret_line(self.password_file) if self.password_file else ""

    def connected(self) -> "ClickHouse":
        """Connect to the server; raises ``LedgerUnavailableError``, ``LedgerDeniedError``."""
        from streams.ledger.clickhouse import ClickHouse

        return ClickHouse.server(self.server(), self.database)


class MonitorSettings(Section):
    """Address of the metrics and health pages; port 0 disables them."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    log_level: Annotated[str, Field(pattern=f"^({'|'.join(LEVELS)})$")] = "info"
