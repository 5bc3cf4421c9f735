"""Registry entries that let an organisation use the HTTP API. Pure."""

from schemas.fields import Ed25519PublicKey, Name
from schemas.registry.access import Grant
from schemas.registry.policy import Policy
from schemas.registry.records import (
    AccessSet,
    AgentSet,
    Entry,
    PolicySet,
    ScopedAdminSet,
    ServiceSet,
)

PERSON_POLICY = "people"
_EVERYTHING = Grant(effect="allow", vault="*", paths="**", rights=("read", "write"))


def api_entries(
    account: Name,
    gateway: tuple[Name, Ed25519PublicKey],
    desk: tuple[Name, Ed25519PublicKey],
) -> list[Entry]:
    """Return the records that register a gateway and a desk for one account."""
    return [
        ServiceSet(role="gateway", name=gateway[0], public_key=gateway[1], active=True),
        ScopedAdminSet(
            name=desk[0],
            public_key=desk[1],
            active=True,
            accounts=(account,),
            gateway=gateway[0],
            ceiling=Policy(message_signing_enabled=True, eip712_default_policy="allow"),
            chains=True,
            domains=True,
            delegates=True,
            settings=("simulation.required",),
        ),
        PolicySet(policy_id=PERSON_POLICY, policy=Policy()),
    ]


def person_entries(person_id: Name, account: Name, gateway: Name) -> list[Entry]:
    """Return the records of a person: an agent without Intents API that may use every secret."""
    return [
        AgentSet(
            agent=person_id,
            account=account,
            gateway=gateway,
            policy_id=PERSON_POLICY,
            active=True,
            intents_api_enabled=False,
        ),
        AccessSet(agent=person_id, grants=(_EVERYTHING,)),
    ]
