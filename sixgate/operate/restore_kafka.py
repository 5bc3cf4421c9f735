"""Restores a vault backup to Kafka after the ``vault`` topic lost its end or all records.

1. Read registry and ``vault`` to their end; refuse a backup that does not continue ``vault``.
2. Append the missing events in order. *If the process ends here, each vault has a prefix of its
   events; the next run appends the rest.*
"""

import copy

from schemas.keys.vault_backup import Backup
from schemas.record import Outgoing
from schemas.topics import Topic
from sixgate.backends.kafka.bus import Bus
from sixgate.config.process_settings import Settings
from sixgate.data_folder.folder import Folder
from sixgate.operate.restoration import missing_events

CLIENT = "sixgate-restore"
APPENDED_COUNT = 500


def restore(settings: Settings, folder: Folder, backup: Backup) -> int:
    """Append the events that ``vault`` lacks; return their number. No signer may be running.

    Raises ``RestoreError``, ``FolderError``, ``KafkaBusError``.
    """
    with Bus(settings.kafka.broker(CLIENT), folder.trust().trust_root) as bus:
        # 1. Refuses before anything is appended.
        with bus.refreshed():
            registry = copy.deepcopy(bus.registry)
        pages = bus.pages(bus.first_offsets(bus.partition_ids(Topic.VAULT)))
        existing = (record.value for page in pages for record in page)
        events = [
            Outgoing(Topic.VAULT, line.vault_id[0], line.raw)
            for line in missing_events(backup, existing, registry)
        ]
        # 2. In order, so that each vault has a prefix of its events if the process ends here.
        for first in range(0, len(events), APPENDED_COUNT):
            bus.append(events[first : first + APPENDED_COUNT])
    return len(events)
