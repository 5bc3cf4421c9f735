"""Settings of a signer process; other processes may share its file."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings

from sixgate.config.attestation import AttestationSettings
from sixgate.config.kms import KmsSettings
from sixgate.config.loading import FROM_ENVIRONMENT, invalid_setting, load
from sixgate.config.releases import ReleasesSettings
from sixgate.config.sections import (
    ClickHouseSettings,
    HeadSettings,
    KafkaSettings,
    MonitorSettings,
)
from sixgate.errors import SettingsError

_SLOTS = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?", re.ASCII)


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


class SignerProcessSettings(BaseSettings):
    """Settings of a signer process; ``data`` is the folder with its keys."""

    model_config = FROM_ENVIRONMENT

    data: Path = Path("sixgate-data")
    kafka: KafkaSettings = KafkaSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    monitor: MonitorSettings = MonitorSettings()
    signer: SignerSettings = SignerSettings()
    kms: KmsSettings = KmsSettings()
    attestation: AttestationSettings | None = None
    releases: ReleasesSettings | None = None


_Unread = Annotated[Any, Field(repr=False, exclude=True)]


class SharedSettings(SignerProcessSettings):
    """A signer's settings in a file with sections of other processes, which are not read.

    A misspelled section is refused.
    """

    gates: _Unread = None
    registrar: _Unread = None
    ledger: _Unread = None
    custody: _Unread = None
    custody_at: _Unread = None
    api: _Unread = None
    intake: _Unread = None
    gateway: _Unread = None
    chains: _Unread = None
    webhooks: _Unread = None
    desk: _Unread = None
    desk_at: _Unread = None
    release: _Unread = None


def load_signer_settings(file: Path | None, slots: str | None) -> SignerProcessSettings:
    """Read settings; ``slots`` overrides ``signer.slots``. Raises ``SettingsError``."""
    settings = load(SharedSettings, file)
    if slots is None:
        return settings
    try:
        signer = SignerSettings(**settings.signer.model_dump() | {"slots": slots})
    except ValidationError as error:
        raise SettingsError(invalid_setting(error, "signer")) from None
    return settings.model_copy(update={"signer": signer})
