"""``sixgate topics``: plans, applies and verifies Kafka's topics and rights."""

import asyncio
from collections.abc import Sequence

import click

from schemas.registry.records import PARTITIONS_MAX
from sixgate.api import Json
from sixgate.cli.declare import Option, flag, gathered, group
from sixgate.cli.exit_codes import CommandError, ExitCode, fail_usage
from sixgate.cli.options import FILE
from sixgate.cli.render import show
from sixgate.cli.session import connected_as
from sixgate.cli.terminal import notice
from streams.kafka.broker import Broker, Tls
from streams.kafka.errors import KafkaBusError, KafkaUnreachableError
from streams.kafka.names import Names
from streams.kafka.provision import AccessPlan, TopicPlan
from streams.kafka.topics import Replication

FACTOR_DEFAULT = 3
FACTOR_MAX = 32
CLIENT = "sixgate-topics"
KAFKA_VARIABLE = "SIXGATE_KAFKA__SERVERS"
PREFIX_VARIABLE = "SIXGATE_KAFKA__PREFIX"
app = group("topics", example="plan --kafka 127.0.0.1:9092 --partitions 16")


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
def plan(*, target: Json) -> None:
    """Show what `apply` would change."""
    if not _print(target):
        notice("Everything is as declared.")


@app.command("apply", example="--kafka 127.0.0.1:9092 --partitions 16")
@_with_target
def apply(*, target: Json) -> None:
    """Apply the plan. Never deletes a topic or changes its partitions."""
    done = _print(target, apply=True)
    notice(f"Made {done} changes; everything is as declared.")


@app.command("verify", example="--acls --kafka kafka.example.org:9092 …")
@_with_target
def verify(*, target: Json) -> None:
    """List what is missing or weaker than declared. Exit code 11 means there is a difference."""
    if count := _print(target):
        raise CommandError(
            ExitCode.WEAKER,
            f"Kafka differs from the declaration in {count} places: "
            "run sixgate topics apply with the same options",
        )
    notice("Everything is as declared.")


def _print(target: Json, *, apply: bool = False) -> int:
    """Print the differences from the declaration, or what ``apply`` changed; return how many."""
    if not target.get("kafka"):
        fail_usage(f"no brokers: give --kafka HOST:PORT or set {KAFKA_VARIABLE}")
    broker = Broker(target["kafka"], CLIENT, _tls(target), _names(target.get("prefix") or ""))
    declared: AccessPlan | TopicPlan
    declared = AccessPlan() if target.get("acls") else _topic_plan(target)
    try:
        with connected_as("an administrator of the brokers"):
            found: Sequence[object] = (
                asyncio.run(declared.apply(broker))
                if apply
                else asyncio.run(declared.differences(broker))
            )
    except KafkaUnreachableError:
        raise
    except KafkaBusError as error:
        raise CommandError(ExitCode.WEAKER, str(error)) from None
    for one in found:
        show(str(one))
    return len(found)


def _names(prefix: str) -> Names:
    try:
        return Names(prefix)
    except ValueError as error:
        fail_usage(f"invalid --prefix {prefix!a}: {error}")


def _topic_plan(given: Json) -> TopicPlan:
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


def _tls(given: Json) -> Tls | None:
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
