"""What the ledger's process is told: from a TOML file, and over it from the environment.

``SIXGATE_CLICKHOUSE__PASSWORD`` is ``password`` in the section ``[clickhouse]``; passwords are
taken from the environment alone.
"""

import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from schemas.fields import Name
from sixgate.settings_wrong import SettingsWrong
from streams.kafka.broker import Broker
from streams.kafka.broker import Tls as KafkaTls
from streams.ledger.engines import ANSWER_S_MAX, Server, Tls

CLIENT = "sixgate-ledger"


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TlsFiles(_Section):
    """PEM files: whom we believe, and who we are."""

    ca: Path
    certificate: Path
    key: Path


class KafkaSettings(_Section):
    """Where the brokers are; beyond this machine only with TLS, unless ``insecure_dev``."""

    servers: str = "127.0.0.1:9092"
    tls: TlsFiles | None = None
    insecure_dev: bool = False

    @model_validator(mode="after")
    def _protected(self) -> Self:
        hosts = [server.rpartition(":")[0] for server in self.servers.split(",")]
        if self.tls is None and not self.insecure_dev and not all(map(_loopback, hosts)):
            raise ValueError("brokers on other machines need TLS: add tls, or insecure_dev = true")
        return self

    def broker(self) -> Broker:
        """Return how to reach Kafka."""
        files = self.tls
        tls = KafkaTls(files.ca, files.certificate, files.key) if files else None
        return Broker(self.servers, CLIENT, tls)


class ClickHouseSettings(_Section):
    """Where the ledger's server is, and as whom to speak to it; TLS beyond this machine."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8123
    database: Name = "sixgate"
    user: str = "ledger_writer"
    password: SecretStr = SecretStr("")
    answer_s_max: Annotated[int, Field(ge=1, le=300)] = ANSWER_S_MAX
    tls: TlsFiles | None = None

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if self.tls is None and not _loopback(self.host):
            raise ValueError("a server on another machine needs TLS: add tls")
        return self

    def server(self) -> Server:
        """Return how to reach the server."""
        files = self.tls
        tls = Tls(files.ca, files.certificate, files.key) if files else None
        password = self.password.get_secret_value()
        return Server(self.host, self.port, self.user, password, tls, self.answer_s_max)


class SinkSettings(_Section):
    """Whose ledger it is, the file of its own key, and the file that keeps its heads."""

    org: Name
    chain: Name = "main"
    key: Path
    key_name: Name = "ledger-0"
    heads: Path


class LedgerSettings(BaseSettings):
    """Everything the ledger's process is told; ``migrate`` needs no ``ledger``."""

    model_config = SettingsConfigDict(
        env_prefix="SIXGATE_", env_nested_delimiter="__", frozen=True, extra="ignore"
    )

    kafka: KafkaSettings = KafkaSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    ledger: SinkSettings | None = None

    def sink(self) -> SinkSettings:
        """Return the section ``[ledger]``; raises ``SettingsWrong`` if it is missing."""
        if self.ledger is None:
            raise SettingsWrong(
                "the settings say nothing of the ledger: add a section [ledger] with org, key and "
                "heads"
            )
        return self.ledger


def load_ledger_settings(file: Path | None) -> LedgerSettings:
    """Read settings, the environment over the file; raises ``SettingsWrong``."""
    if file is not None:
        _refuse_unreadable(file)

    class FromFile(LedgerSettings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (env_settings, TomlConfigSettingsSource(settings_cls, file))

    try:
        return FromFile()
    except ValidationError as error:
        raise SettingsWrong(_sentence(error)) from None


def _refuse_unreadable(file: Path) -> None:
    try:
        plain: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsWrong(f"{file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsWrong(f"{file} is no TOML: {error}") from None
    section = plain.get("clickhouse")
    if isinstance(section, dict) and "password" in section:
        raise SettingsWrong(
            f"{file} holds a password: take it out and set SIXGATE_CLICKHOUSE__PASSWORD"
        )


def _sentence(error: ValidationError) -> str:
    """Name the first wrong setting without its value, which may be secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(map(str, first["loc"]))
    return f"the setting {name} is wrong: {first['msg']}"
