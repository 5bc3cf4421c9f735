"""Kafka identity of each command; ``docs/operations.md`` has the table, a test compares them."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.topics import Principal
from sixgate.api import ApiError
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from streams.kafka.errors import KafkaDeniedError

# Agents' machines are the least trusted, so producers have no right to read. A command that shows
# outcomes connects as operators: it may submit intents too, because agents sign them.
COMMANDS: dict[Principal, tuple[str, ...]] = {
    Principal.PRODUCERS: (),
    Principal.GATES: ("gates",),
    Principal.SIGNER: ("signer", "vaults restore"),
    Principal.LEDGER: ("ledger run",),
    Principal.REGISTRAR: ("registrar",),
    Principal.RELEASE: ("release",),
    Principal.CUSTODY: ("custody",),
    Principal.OPERATORS: (
        "access",
        "admins",
        "agents",
        "attest boot",
        "attest boots",
        "authorization",
        "chains",
        "cmek",
        "demo",
        "intents",
        "keys",
        "ledger export",
        "ledger head",
        "ledger sql",
        "ledger verify",
        "message",
        "people",
        "publish",
        "secrets",
        "services",
        "settings",
        "signed",
        "submit",
        "tx sign",
        "typed-data",
        "vaults backup",
        "vaults create",
        "vaults list",
        "vaults recover",
        "vaults rotate-key",
        "vaults set-mode",
        "vaults show",
    ),
    Principal.CONSUMERS: (),
    Principal.GATEWAY: ("gateway",),
    Principal.DESK: ("desk",),
}
"""Commands or groups by identity. Others do not use Kafka, except ``topics`` (ADMINISTRATOR)."""
ADMINISTRATOR = "an administrator of the brokers"


@contextmanager
def connected_as(who: str) -> Iterator[None]:
    """Add to an authorisation error of Kafka which certificate the command needs."""
    try:
        yield
    except (KafkaDeniedError, ApiError) as error:
        if isinstance(error, ApiError) and error.code != "denied":
            raise
        needed = f"This command needs the certificate of {who}."
        raise CommandError(ExitCode.REFUSED, f"{error} {needed}") from None
