"""``sixgate topics``: make Kafka's topics and rights what they must be, or say what is not."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import typer

from schemas.registry import PARTITIONS_MAX
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.identities import ADMINISTRATOR, speaking_as
from sixgate.cli.session import usage
from sixgate.cli.shared_options import with_options
from sixgate.cli.terminal import notices, safe, screen
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
app = typer.Typer(
    no_args_is_help=True,
    help="Kafka's topics and, with --acls, the rights on them.",
    epilog="Example: sixgate topics plan --kafka 127.0.0.1:9092 --partitions 16",
)


class Plan(Protocol):
    """What topics and rights have in common."""

    async def differences(self, broker: Broker) -> Sequence[object]:
        """Return what is not as declared."""

    async def apply(self, broker: Broker) -> Sequence[object]:
        """Change what is not as declared."""


@dataclass(frozen=True, slots=True)
class Target:
    """A cluster and what it must hold, as the options say."""

    broker: Broker
    plan: Plan


def _option(flag: str, what: str, **more: Any) -> Any:
    return typer.Option(flag, help=what, **more)


_with_target = with_options(
    "target",
    {
        "kafka": Annotated[
            str | None,
            _option("--kafka", "The brokers.", metavar="HOST:PORT,…", envvar=KAFKA_VARIABLE),
        ],
        "prefix": Annotated[
            str | None,
            _option(
                "--prefix",
                "Prefix of every name, as [kafka] prefix in the settings [default: none].",
                envvar=PREFIX_VARIABLE,
            ),
        ],
        "partitions": Annotated[
            int | None,
            _option(
                "--partitions",
                "Of topics keyed by account: the organisation's own number, for ever.",
                min=1,
                max=PARTITIONS_MAX,
            ),
        ],
        "copies": Annotated[
            int | None,
            _option("--replication-factor", "Copies of each record; 3.", min=1, max=FACTOR_MAX),
        ],
        "in_sync": Annotated[
            int | None,
            _option(
                "--min-insync-replicas",
                "Copies that must be written before a record counts; one less than all.",
                min=1,
                max=FACTOR_MAX,
            ),
        ],
        "acls": Annotated[bool | None, _option("--acls", "The rights instead of the topics.")],
        "ca": Annotated[
            Path | None, _option("--ca", "Whom to believe (PEM); with TLS.", metavar="FILE")
        ],
        "certificate": Annotated[
            Path | None, _option("--certificate", "Who we are (PEM).", metavar="FILE")
        ],
        "key": Annotated[
            Path | None, _option("--key", "The certificate's key (PEM).", metavar="FILE")
        ],
    },
)


@app.command(epilog="Example: sixgate topics plan --kafka 127.0.0.1:9092 --partitions 16")
@_with_target
def plan(*, target: dict[str, Any]) -> None:
    """Show what apply would change; change nothing."""
    where = _target(target)
    differences = _run(where.plan.differences(where.broker))
    _tell(differences)
    if not differences:
        notices().print("Everything is as declared.")


@app.command(epilog="Example: sixgate topics apply --kafka 127.0.0.1:9092 --partitions 16")
@_with_target
def apply(*, target: dict[str, Any]) -> None:
    """Create and change what the plan shows; never delete a topic or change its partitions."""
    where = _target(target)
    done = _run(where.plan.apply(where.broker))
    _tell(done)
    notices().print(f"{len(done)} changes made; everything is as declared.")


@app.command(epilog="Example: sixgate topics verify --acls --kafka kafka.example.org:9092 …")
@_with_target
def verify(*, target: dict[str, Any]) -> None:
    """Name everything that is missing or weaker than declared, and exit with 11 if there is any."""
    where = _target(target)
    differences = _run(where.plan.differences(where.broker))
    _tell(differences)
    if differences:
        raise CommandError(
            ExitCode.WEAKER,
            f"{len(differences)} differences between Kafka and what is declared: "
            "run sixgate topics apply with the same options",
        )
    notices().print("Everything is as declared.")


def _tell(differences: Sequence[object]) -> None:
    for difference in differences:
        screen().print(safe(difference), soft_wrap=True)


def _target(said: dict[str, Any]) -> Target:
    if not said.get("kafka"):
        usage(f"say which brokers: --kafka HOST:PORT, or {KAFKA_VARIABLE}")
    broker = Broker(said["kafka"], CLIENT, _tls(said), _names(said.get("prefix") or ""))
    return Target(broker, AccessPlan() if said.get("acls") else _topic_plan(said))


def _names(prefix: str) -> Names:
    try:
        return Names(prefix)
    except ValueError as error:
        usage(f"--prefix {prefix!a} cannot be used: {error}")


def _topic_plan(said: dict[str, Any]) -> TopicPlan:
    if not said.get("partitions"):
        usage("say how many partitions a keyed topic has: --partitions, as the registry says")
    copies = said.get("copies", FACTOR_DEFAULT)
    in_sync = said.get("in_sync", max(1, copies - 1))
    if in_sync > copies:
        usage(f"--min-insync-replicas {in_sync} is more than there are copies ({copies})")
    return TopicPlan(said["partitions"], Replication(copies, in_sync))


def _tls(said: dict[str, Any]) -> Tls | None:
    files = [said.get(name) for name in ("ca", "certificate", "key")]
    if not any(files):
        return None
    ca, certificate, key = files
    if not (ca and certificate and key):
        usage("TLS needs all three: --ca, --certificate and --key")
    tls = Tls(ca, certificate, key)
    if not tls.usable():
        usage(f"{ca}, {certificate} and {key} are not PEM files that belong together")
    return tls


def _run(work: Awaitable[T]) -> T:
    async def awaited() -> T:
        return await work

    try:
        with speaking_as(ADMINISTRATOR):
            return asyncio.run(awaited())
    except KafkaUnreachableError as error:
        raise CommandError(ExitCode.UNREACHABLE, str(error)) from None
    except KafkaBusError as error:
        raise CommandError(ExitCode.WEAKER, str(error)) from None
