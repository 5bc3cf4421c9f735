"""What a scaled process is told: from a TOML file, and over it from the environment.

``SIXGATE_KAFKA__SERVERS`` is ``servers`` in the section ``[kafka]`` of the file.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from sixgate.settings_wrong import SettingsWrong

PORT = Annotated[int, Field(ge=0, le=65_535)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TlsFiles(_Section):
    """PEM files: whom we believe, and who we are."""

    ca: Path
    certificate: Path
    key: Path


class KafkaSettings(_Section):
    """Where the brokers are; ``insecure_dev`` goes on without TLS."""

    servers: str = "127.0.0.1:9092"
    tls: TlsFiles | None = None
    insecure_dev: bool = False


class ClickHouseSettings(_Section):
    """Where the ledger's server is, and as whom to speak to it."""

    host: str = "127.0.0.1"
    port: PORT = 8123
    database: str = "sixgate"
    user: str = "default"
    password: SecretStr = SecretStr("")
    tls: TlsFiles | None = None


class MonitorSettings(_Section):
    """Where metrics and health are served; port 0 serves them nowhere."""

    host: str = "127.0.0.1"
    port: PORT = 0
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"


class SignerSettings(_Section):
    """Which slots this process signs for, as ``0-3`` or ``0,2``."""

    slots: Annotated[str, Field(pattern=r"^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$")] = "0"
    ledger_required: bool = True

    def slot_numbers(self) -> list[int]:
        """Return the numbers, each once, in their order."""
        numbers: set[int] = set()
        for part in self.slots.split(","):
            first, _, last = part.partition("-")
            numbers.update(range(int(first), int(last or first) + 1))
        return sorted(numbers)


class GatesSettings(_Section):
    """Under which name this process belongs to the gates: the same one after a restart."""

    instance: Annotated[str, Field(pattern="^[a-z0-9-]{1,63}$")] = "gates-0"


class Settings(BaseSettings):
    """Everything a scaled process is told; ``data`` is the folder with its keys."""

    model_config = SettingsConfigDict(
        env_prefix="SIXGATE_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    data: Path = Path("sixgate-data")
    kafka: KafkaSettings = KafkaSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    monitor: MonitorSettings = MonitorSettings()
    signer: SignerSettings = SignerSettings()
    gates: GatesSettings = GatesSettings()


def load_settings(file: Path | None, *, slots: str | None = None) -> Settings:
    """Read settings, ``slots`` over all of them; raises ``SettingsWrong``."""

    class FromFile(Settings):
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
        if file is not None and not file.is_file():
            raise SettingsWrong(f"{file} is no file: name the settings file that is there")
        settings = FromFile()
        if slots is None:
            return settings
        signer = SignerSettings(slots=slots, ledger_required=settings.signer.ledger_required)
        return settings.model_copy(update={"signer": signer})
    except tomllib.TOMLDecodeError as error:
        raise SettingsWrong(f"{file} is no TOML: {error}") from None
    except ValidationError as error:
        raise SettingsWrong(_sentence(error)) from None


def shown(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain data, secrets masked."""
    return settings.model_dump(mode="json")


def _sentence(error: ValidationError) -> str:
    """Name the first wrong setting without quoting its value, which may be secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(map(str, first["loc"]))
    return f"the setting {name} is wrong: {first['msg']}; sixgate config shows all settings"
