"""Settings of the processes on Kafka; several processes may share one file."""

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings

from schemas.fields import Name
from sixgate.config.api import ApiSettings, GatewaySettings
from sixgate.config.attestation import AttestationSettings
from sixgate.config.custody import CustodyAddress, CustodySettings
from sixgate.config.desk import DeskAddress, DeskSettings
from sixgate.config.kms import KmsSettings
from sixgate.config.loading import FROM_ENVIRONMENT, invalid_setting, load
from sixgate.config.release import ReleaseSettings, ReleasesSettings
from sixgate.config.section import Section
from sixgate.config.sections import ClickHouseSettings, HeadSettings, KafkaSettings
from sixgate.config.webhooks import WebhookSettings
from sixgate.errors import SettingsError
from sixgate.logs import LEVELS

PORT = Annotated[int, Field(ge=0, le=65_535)]
_SLOTS = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?", re.ASCII)


class MonitorSettings(Section):
    """Address of the metrics and health pages; port 0 disables them."""

    host: str = "127.0.0.1"
    port: PORT = 0
    log_level: Annotated[str, Field(pattern=f"^({'|'.join(LEVELS)})$")] = "info"


def _spans(text: str) -> list[range]:
    """Return the slots of each part; an empty part is an error, not a signer without slots."""
    found = [_SLOTS.fullmatch(part) for part in text.split(",")]
    spans = [range(int(one[1]), int(one[2] or one[1]) + 1) for one in found if one]
    if len(spans) < len(found) or not all(spans):
        raise ValueError(
            "must be numbers and ascending ranges separated by commas, such as 0-3 or 0,2"
        )
    return spans


def _checked(text: str) -> str:
    _spans(text)
    return text


class SignerSettings(HeadSettings):
    """The process's slots, such as ``0-3`` or ``0,2``, and which dependencies it requires."""

    slots: Annotated[str, AfterValidator(_checked)] = "0"
    ledger_required: bool = True

    def slot_numbers(self) -> list[int]:
        """Return the numbers in ascending order without duplicates."""
        return sorted(set().union(*_spans(self.slots)))


class GatesSettings(HeadSettings):
    """The process's member name in the gates' consumer group; it must survive a restart."""

    instance: Annotated[str, Field(pattern="^[a-z0-9-]{1,63}$")] = "gates-0"


class RegistrarSettings(Section):
    """The name under which the process is registered; its key file has the same name."""

    name: Name = "registrar-0"


class SinkSettings(Section):
    """The ledger's organisation, the sink's key file, and the file of its published heads."""

    org: Name
    chain: Name = "main"
    key: Path
    key_name: Name = "ledger-0"
    heads: Path


class Settings(BaseSettings):
    """All settings of a scaled process; ``data`` is the folder with its keys."""

    model_config = FROM_ENVIRONMENT

    data: Path = Path("sixgate-data")
    kafka: KafkaSettings = KafkaSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    monitor: MonitorSettings = MonitorSettings()
    signer: SignerSettings = SignerSettings()
    gates: GatesSettings = GatesSettings()
    registrar: RegistrarSettings = RegistrarSettings()
    ledger: SinkSettings | None = None
    kms: KmsSettings = KmsSettings()
    attestation: AttestationSettings | None = None
    custody: CustodySettings = CustodySettings()
    custody_at: CustodyAddress | None = None
    api: ApiSettings = ApiSettings()
    gateway: GatewaySettings = GatewaySettings()
    webhooks: WebhookSettings = WebhookSettings()
    desk: DeskSettings = DeskSettings()
    desk_at: DeskAddress | None = None
    release: ReleaseSettings | None = None
    releases: ReleasesSettings | None = None

    def release_section(self) -> ReleaseSettings:
        """Return the section ``[release]``; raises ``SettingsError`` if it is missing."""
        if self.release is None:
            raise SettingsError(
                "the settings have no section [release]: add one with org, "
                "provider, audience, policy, token_keys and admins"
            )
        return self.release

    def ledger_section(self) -> SinkSettings:
        """Return the section ``[ledger]``; raises ``SettingsError`` if it is missing."""
        if self.ledger is None:
            raise SettingsError(
                "the settings have no section [ledger]: add one with org, key and heads"
            )
        return self.ledger


def load_settings(file: Path | None, *, slots: str | None = None) -> Settings:
    """Read settings; ``slots`` overrides ``signer.slots``. Raises ``SettingsError``."""
    settings = load(Settings, file)
    if slots is None:
        return settings
    try:
        signer = SignerSettings(**settings.signer.model_dump() | {"slots": slots})
    except ValidationError as error:
        raise SettingsError(invalid_setting(error, "signer")) from None
    return settings.model_copy(update={"signer": signer})


def masked(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain data, secrets masked."""
    return settings.model_dump(mode="json")


def settings_digest(settings: Settings) -> str:
    """Return the SHA-256 of the settings without secrets, to compare processes by their logs."""
    plain = orjson.dumps(masked(settings), option=orjson.OPT_SORT_KEYS)
    return "0x" + hashlib.sha256(plain).hexdigest()
