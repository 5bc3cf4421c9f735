"""Settings of the processes on Kafka; several processes may share one file."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from schemas.fields import Name
from sixgate.config.api import ApiSettings, ChainsSettings, GatewaySettings, WebhookSettings
from sixgate.config.intake import IntakeSettings
from sixgate.config.internal_servers import (
    CustodyAddress,
    CustodySettings,
    DeskAddress,
    DeskSettings,
)
from sixgate.config.loading import load
from sixgate.config.release import ReleaseSettings
from sixgate.config.section import Section
from sixgate.config.sections import HeadSettings
from sixgate.config.signer import SignerProcessSettings
from sixgate.errors import SettingsError


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


class Settings(SignerProcessSettings):
    """All settings of the processes on Kafka."""

    gates: GatesSettings = GatesSettings()
    registrar: RegistrarSettings = RegistrarSettings()
    ledger: SinkSettings | None = None
    custody: CustodySettings = CustodySettings()
    custody_at: CustodyAddress | None = None
    api: ApiSettings = ApiSettings()
    intake: IntakeSettings = IntakeSettings()
    gateway: GatewaySettings = GatewaySettings()
    chains: ChainsSettings = ChainsSettings()
    webhooks: WebhookSettings = WebhookSettings()
    desk: DeskSettings = DeskSettings()
    desk_at: DeskAddress | None = None
    release: ReleaseSettings | None = None

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


def load_settings(file: Path | None) -> Settings:
    """Read settings; raises ``SettingsError``."""
    return load(Settings, file)
