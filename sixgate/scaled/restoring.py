"""A backup of vaults put back on Kafka, where the ``vault`` topic lost its end or all of it."""

import copy

from schemas.record import Outgoing
from schemas.topics import Topic
from schemas.vault_backup import Backup
from signer.vaults.restoration import missing
from sixgate.data_folder.folder import Folder
from sixgate.scaled.bus import Bus
from sixgate.scaled.settings import Settings

CLIENT = "sixgate-restore"
APPENDED_COUNT = 500


def restore(settings: Settings, folder: Folder, backup: Backup) -> int:
    """Append what is missing and return how many events; no signer may run meanwhile.

    One that is cut short is repeated and goes on. Raises ``RestoreError``, ``FolderError``,
    ``KafkaBusError``.
    """
    with Bus(settings.kafka.broker(CLIENT), folder.trust().trust_root) as bus:
        with bus.refreshed() as world:
            registry = copy.deepcopy(world.registry)
        pages = bus.pages(bus.first_offsets(bus.places(Topic.VAULT)))
        known = (record.value for page in pages for record in page)
        events = [
            Outgoing(Topic.VAULT, line.place[0], line.raw)
            for line in missing(backup, known, registry)
        ]
        for first in range(0, len(events), APPENDED_COUNT):
            bus.append(events[first : first + APPENDED_COUNT])
    return len(events)
