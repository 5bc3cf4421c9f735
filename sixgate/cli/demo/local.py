"""Where ``make up`` leaves the settings of the pipeline that it starts."""

from pathlib import Path

import sixgate
from sixgate.cli.config_option import config_file, use_config
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError

LOCAL = Path(sixgate.__file__).parents[1] / "build" / "local" / "sixgate" / "sixgate.toml"


def find_local() -> None:
    """Work through what --config names, else through what ``make up`` started."""
    if config_file() is not None:
        return
    if not LOCAL.exists():
        raise CommandError(
            ExitCode.UNREACHABLE,
            "no pipeline on Kafka is known here: run make up first, or name one with --config FILE",
        )
    use_config(LOCAL)
