"""``sixgate topics``: plans, applies and verifies Kafka's topics and rights."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import click

from schemas.registry import PARTITIONS_MAX
from sixgate.cli.declare import Option, flag, gathered, group
from sixgate.cli.exit_codes import CommandError, ExitCode
from sixgate.cli.options import FILE
from sixgate.cli.render import show
from sixgate.cli.session import connected_as, fail_usage
from sixgate.cli.terminal import notice
from streams.kafka.broker import Broker, Tls
from streams.kafka.errors import KafkaBusError, KafkaUnreachableError
from streams.kafka.names import Names
from streams.kafka.provision import AccessPlan, TopicPlan
from streams.kafka.topics import Replication

T = TypeVar("T")

FACTOR_DEFAULT = 3
FACTOR_MAX = 32
CLIENT = "sixgate-topics"
KAFKA_VARIABLE = "SIXGATE_KAFKA__SERVERS"
PREFIX_VARIABLE = "SIXGATE_KAFKA__PREFIX"
app = group("topics", example="plan --kafka 127.0.0.1:9092 --partitions 16")


class Plan(Protocol):
    """A declaration of topics or of rights."""

    async def differences(self, broker: Broker) -> Sequence[object]:
        """Return the differences between Kafka and the declaration."""

    async def apply(self, broker: Broker) -> Sequence[object]:
        """Remove the differences; return what was changed."""


@dataclass(frozen=True, slots=True)
class Target:
    """The brokers and the declaration that the options name."""

    broker: Broker
    plan: Plan


_with_target = gathered(
    "target",
    Option("--kafka HOST:PORT,…", "Broker addresses.", envvar=KAFKA_VARIABLE),
    Option(
        "--prefix",
        "Prefix of every name, as in section kafka of the settings.",
        envvar=PREFIX_VARIABLE,
        show_default="no prefix",
    ),
    Option(
        "--partitions",
        "The organisation's number of partitions. Cannot be changed later.",
        type=click.IntRange(1, PARTITIONS_MAX),
    ),
    Option(
        "--replication-factor",
        "Replicas of each record.",
        name="copies",
        type=click.IntRange(1, FACTOR_MAX),
        show_default=str(FACTOR_DEFAULT),
    ),
    Option(
        "--min-insync-replicas",
        "Replicas that must have a record before it is acknowledged.",
        name="in_sync",
        type=click.IntRange(1, FACTOR_MAX),
        show_default="one less than the replicas",
    ),
    flag("--acls", "Plan, apply or verify ACLs instead of topics."),
    Option("--ca FILE", "CA certificate for TLS (PEM).", type=FILE),
    Option("--certificate FILE", "Client certificate (PEM).", type=FILE),
    Option("--key FILE", "Client key (PEM).", type=FILE),
)


@app.command("plan", example="--kafka 127.0.0.1:9092 --partitions 16")
@_with_target
def plan(*, target: dict[str, Any]) -> None:
    """Show what `apply` would change."""
    where = _target(target)
    differences = _run(where.plan.differences(where.broker))
    _print(differences)
    if not differences:
        notice("Everything is as declared.")


@app.command("apply", example="--kafka 127.0.0.1:9092 --partitions 16")
@_with_target
def apply(*, target: dict[str, Any]) -> None:
    """Apply the plan. Never deletes a topic or changes its partitions."""
    where = _target(target)
    done = _run(where.plan.apply(where.broker))
    _print(done)
    notice(f"Made {len(done)} changes; everything is as declared.")


@app.command("verify", example="--acls --kafka kafka.example.org:9092 …")
@_with_target
def verify(*, target: dict[str, Any]) -> None:
    """List what is missing or weaker than declared. Exit code 11 means there is a difference."""
    where = _target(target)
    differences = _run(where.plan.differences(where.broker))
    _print(differences)
    if differences:
        raise CommandError(
            ExitCode.WEAKER,
            f"Kafka differs from the declaration in {len(differences)} places: "
            "run sixgate topics apply with the same options",
        )
    notice("Everything is as declared.")


def _print(differences: Sequence[object]) -> None:
    for difference in differences:
        show(str(difference))


def _target(given: dict[str, Any]) -> Target:
    if not given.get("kafka"):
        fail_usage(f"no brokers: give --kafka HOST:PORT or set {KAFKA_VARIABLE}")
    broker = Broker(given["kafka"], CLIENT, _tls(given), _names(given.get("prefix") or ""))
    return Target(broker, AccessPlan() if given.get("acls") else _topic_plan(given))


def _names(prefix: str) -> Names:
    try:
        return Names(prefix)
    except ValueError as error:
        fail_usage(f"invalid --prefix {prefix!a}: {error}")


def _topic_plan(given: dict[str, Any]) -> TopicPlan:
    if not given.get("partitions"):
        fail_usage(
            "no number of partitions: give --partitions, as the organisation was created with"
        )
    copies = given.get("copies", FACTOR_DEFAULT)
    in_sync = given.get("in_sync", max(1, copies - 1))
    if in_sync > copies:
        fail_usage(
            f"--min-insync-replicas {in_sync} is more than the {copies} replicas: lower it, or "
            "raise --replication-factor"
        )
    return TopicPlan(given["partitions"], Replication(copies, in_sync))


def _tls(given: dict[str, Any]) -> Tls | None:
    files = [given.get(name) for name in ("ca", "certificate", "key")]
    if not any(files):
        return None
    ca, certificate, key = files
    if not (ca and certificate and key):
        fail_usage("TLS needs all three: --ca, --certificate and --key")
    tls = Tls(ca, certificate, key)
    if not tls.usable():
        fail_usage(f"{ca}, {certificate} and {key} are not a CA, a certificate and its key in PEM")
    return tls


def _run(work: Awaitable[T]) -> T:
    async def awaited() -> T:
        return await work

    try:
        with connected_as("an administrator of the brokers"):
            return asyncio.run(awaited())
    except KafkaUnreachableError as error:
        raise CommandError(ExitCode.UNREACHABLE, str(error)) from None
    except KafkaBusError as error:
        raise CommandError(ExitCode.WEAKER, str(error)) from None
