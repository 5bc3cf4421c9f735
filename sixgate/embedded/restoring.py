"""A backup of vaults put back into a data folder on which nothing runs."""

from contextlib import closing, suppress

from schemas.record import Outgoing
from schemas.topics import Topic
from schemas.vault_backup import Backup
from signer.registry import Registry, RegistryRecordError
from signer.vaults.restoration import missing
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import SqliteLog


def restore(folder: Folder, backup: Backup) -> int:
    """Append what is missing, all or none of it, and return how many events; own the folder.

    The pipeline judges it when it starts: what its signer had not seen halts it. Raises
    ``RestoreError``, ``FolderError``, ``LogError``.
    """
    trust = folder.trust()
    folder.refuse_published()
    with (
        closing(SqliteLog(folder.inbox, trust.partitions)) as inbox,
        closing(PipelineLog(folder.pipeline, trust.partitions)) as log,
    ):
        registry = Registry(trust.trust_root)
        for record in inbox.scan(Topic.REGISTRY, 0):
            with suppress(RegistryRecordError):  # the signer put what it refused on record
                registry.apply(record.value)
        known = (r.value for p in range(log.partitions) for r in log.scan(Topic.VAULT, p))
        new = missing(backup, known, registry)
        log.commit([Outgoing(Topic.VAULT, line.place[0], line.raw) for line in new], [], wall_ms())
    return len(new)
