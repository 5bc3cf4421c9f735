"""Settings of an embedded pipeline."""

from pydantic_settings import BaseSettings

from sixgate.config.attestation import AttestationSettings, PlatformKind
from sixgate.config.intake import IntakeSettings
from sixgate.config.loading import FROM_ENVIRONMENT


class EmbeddedSettings(BaseSettings):
    """Settings of an embedded pipeline; they come from the environment only."""

    model_config = FROM_ENVIRONMENT

    attestation: AttestationSettings = AttestationSettings(
        platform=PlatformKind.SIMULATED, insecure_dev=True
    )
    intake: IntakeSettings = IntakeSettings()
