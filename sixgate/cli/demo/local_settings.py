"""The settings file that ``make up`` writes for its pipeline."""

from pathlib import Path

import sixgate
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.typer_config import config_file, use_config

LOCAL = Path(sixgate.__file__).parents[1] / "build" / "local" / "sixgate" / "sixgate.toml"


def use_local_settings() -> None:
    """Use the pipeline of ``--config``, otherwise the one that ``make up`` started."""
    if config_file() is not None:
        return
    if not LOCAL.exists():
        raise CommandError(
            ExitCode.UNREACHABLE,
            "no pipeline on Kafka found: run make up, or name its settings with --config FILE",
        )
    use_config(LOCAL)
