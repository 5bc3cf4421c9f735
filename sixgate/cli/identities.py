"""As whom a command speaks to Kafka; ``docs/operations.md`` repeats this, a test compares them."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.topics import Principal
from sixgate.api import ApiError
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from streams.kafka.errors import KafkaDeniedError

# Agents' machines are the least trusted, so who only submits may read nothing. A command that shows
# how an intent ended speaks as operators: agents sign their intents whoever brings them.
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
}
"""Commands, or groups of them; those that are not here do not speak to Kafka, but ``topics``."""
ADMINISTRATOR = "an administrator of the brokers"


@contextmanager
def speaking_as(who: str) -> Iterator[None]:
    """Say, where Kafka refuses something meanwhile, whose certificate the command needs."""
    try:
        yield
    except (KafkaDeniedError, ApiError) as error:
        if isinstance(error, ApiError) and error.code != "denied":
            raise
        told = f"{error} This command needs the certificate of {who}."
        raise CommandError(ExitCode.REFUSED, told) from None
