"""What the ledger's process is told."""

from pathlib import Path

from pydantic_settings import BaseSettings

from schemas.fields import Name
from sixgate.settings.loading import FROM_ENVIRONMENT, load
from sixgate.settings.sections import ClickHouseSettings, KafkaSettings, Section
from sixgate.settings_wrong import SettingsWrong


class SinkSettings(Section):
    """Whose ledger it is, the file of its own key, and the file that keeps its heads."""

    org: Name
    chain: Name = "main"
    key: Path
    key_name: Name = "ledger-0"
    heads: Path


class LedgerSettings(BaseSettings):
    """Everything the ledger's process is told; ``migrate`` needs no ``ledger``."""

    model_config = FROM_ENVIRONMENT | {"extra": "ignore"}

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
    return load(LedgerSettings, file)
