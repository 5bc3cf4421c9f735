"""Limits of what new intents may make a process store: ``[intake]``."""

from typing import Annotated

from pydantic import Field

from sixgate.config.section import Section

MIB = 1024 * 1024


class IntakeSettings(Section):
    """What an agent may submit in a day, and the disk space below which new work is refused.

    ``agent_bytes_per_day_max`` counts the bytes of an agent's intents. New work is refused while
    less than ``disk_free_bytes_min`` or ``disk_free_percent_min`` of the disk is free.
    """

    agent_bytes_per_day_max: Annotated[int, Field(ge=1)] = 256 * MIB
    disk_free_bytes_min: Annotated[int, Field(ge=0)] = 1024 * MIB
    disk_free_percent_min: Annotated[float, Field(ge=0, le=100)] = 5
