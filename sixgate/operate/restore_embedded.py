"""Restores a vault backup into a data folder that no process uses."""

from contextlib import closing, suppress

from schemas.keys.vault_backup import Backup
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.core.errors import RegistryRecordError
from signer.core.registry.registry import Registry
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.operate.restoration import missing_events
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import SqliteLog


def restore(folder: Folder, backup: Backup) -> int:
    """Append the missing events atomically; return their number. The caller owns the folder.

    The signer verifies them when the pipeline starts: an event that its state does not know halts
    it. Raises ``RestoreError``, ``FolderError``, ``LogError``.
    """
    trust = folder.trust()
    folder.refuse_published()
    with (
        closing(SqliteLog(folder.inbox, trust.partitions)) as inbox,
        closing(PipelineLog(folder.pipeline, trust.partitions)) as log,
    ):
        registry = Registry(trust.trust_root)
        for record in inbox.scan(Topic.REGISTRY, 0):
            with suppress(RegistryRecordError):  # the signer recorded its refusal
                registry.apply(record.value)
        existing = (r.value for p in range(log.partitions) for r in log.scan(Topic.VAULT, p))
        new = missing_events(backup, existing, registry)
        # One transaction: if the process ends before it, nothing was restored.
        log.commit(
            [Outgoing(Topic.VAULT, line.vault_id[0], line.raw) for line in new], [], wall_ms()
        )
    return len(new)
