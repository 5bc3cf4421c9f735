"""A public key for which anyone can sign is refused when a record with it is authored."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.dsse import INTENT_TYPE, signed_envelope
from schemas.registry.records import Entry
from signer.core.errors import InvalidSignatureError
from signer.core.registry.registry import Registry
from signer.core.signatures import open_envelope
from sixgate.api import ApiError
from sixgate.backends.orders import check_record
from tests.harness.builders.cases import ALICE, SIGNER, Operator, agent, founding, intent, service
from tests.harness.builders.scoped_admins import GATEWAY, organisation, scope

IDENTITY = "0x01" + "00" * 31
WEAK_KEYS = [IDENTITY, "0x" + "00" * 32, "0x" + "ff" * 32]
HOLDERS: dict[str, Callable[..., Any]] = {
    "agent": agent,
    "gateway": lambda **changes: service(GATEWAY, "gateway", **changes),
    "scoped admin": scope,
    "signer": lambda **changes: service(SIGNER, "signer", **changes),
}


def refused(operator: Operator, registry: Registry, entry: Entry) -> str:
    with pytest.raises(ApiError) as caught:
        check_record(operator.sealed(operator.record(entry)), registry)
    assert caught.value.code == "registry_refused"
    return str(caught.value)


@pytest.mark.parametrize("public_key", WEAK_KEYS)
@pytest.mark.parametrize("holder", HOLDERS)
def test_a_weak_key_is_refused_when_it_is_registered(holder: str, public_key: str) -> None:
    operator, registry = organisation()
    entry = HOLDERS[holder](public_key=public_key)
    assert "anyone could sign" in refused(operator, registry, entry)
    check_record(operator.sealed(operator.record(HOLDERS[holder]())), registry)


def test_a_weak_key_of_the_first_admin_is_refused() -> None:
    operator = Operator()
    first = operator.record(founding(admin_keys=(operator.by.public_key, IDENTITY)))
    operator.write(first.entry)
    with pytest.raises(ApiError, match="anyone could sign"):
        check_record(operator.written[0], Registry(operator.head))


def test_an_earlier_record_with_a_weak_key_loads_and_authenticates_no_one() -> None:
    """The holder can be deactivated, and keeps nothing by which it could act until then."""
    operator, registry = organisation()
    registry.apply(operator.write(agent(public_key=IDENTITY)))
    body = intent().encode()
    # R is the identity and S is 0, which OpenSSL accepts for every message under this key.
    forged = signed_envelope(
        INTENT_TYPE, body, ALICE.keyid, bytes.fromhex(IDENTITY[2:]) + bytes(32)
    )
    with pytest.raises(InvalidSignatureError):
        open_envelope(forged, INTENT_TYPE, registry.key_of_agent(registry.agents[ALICE.keyid]))
    ended = agent(public_key=IDENTITY, active=False)
    check_record(operator.sealed(operator.record(ended)), registry)
