"""Generates ``topics.yaml`` and ``acls.yaml`` from the code: ``python -m infra.kafka``."""

from pathlib import Path
from typing import Any

import yaml

from streams.kafka.access import Acl, declared_acls
from streams.kafka.names import Names
from streams.kafka.topics import KafkaTopic, Replication, declared

HERE = Path(__file__).parent
PARTITIONS = 16
REPLICATION = Replication(factor=3, in_sync=2)
_HEADING = """\
# Generated from schemas/topics.py by python -m infra.kafka: change it there.
"""


def topics_yaml() -> str:
    """Return the topics of an organisation with 16 partitions on three or more brokers."""
    return _yaml("topics", [_topic(topic) for topic in declared(PARTITIONS, REPLICATION, Names())])


def acls_yaml() -> str:
    """Return all ACLs; brokers deny everything else."""
    return _yaml("acls", [_acl(acl) for acl in sorted(declared_acls(Names()))])


def _yaml(name: str, entries: list[dict[str, Any]]) -> str:
    return _HEADING + yaml.safe_dump({name: entries}, sort_keys=False)


def _topic(topic: KafkaTopic) -> dict[str, Any]:
    return {
        "name": topic.name,
        "partitions": topic.partitions,
        "replication_factor": topic.copies,
        "config": dict(topic.settings),
    }


def _acl(acl: Acl) -> dict[str, Any]:
    return {
        "principal": acl.principal,
        "operation": acl.operation.name,
        "resource": acl.resource.name,
        "name": acl.name,
        "pattern": acl.pattern.name,
        "host": acl.host,
    }


def main() -> None:
    """Write both files."""
    (HERE / "topics.yaml").write_text(topics_yaml())
    (HERE / "acls.yaml").write_text(acls_yaml())


if __name__ == "__main__":
    main()
