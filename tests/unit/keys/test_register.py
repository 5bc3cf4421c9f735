"""The key register accepts only a registered signer's answers to an admin's orders."""

import copy
from typing import Any

import pytest

from schemas.canonical import Canonical
from schemas.dsse import REGISTRY_TYPE
from schemas.keys.key_events import KeyProvisioned
from schemas.registry.records import AccountOpened
from signer.core.access import may_use
from signer.core.registry.registry import Registry
from signer.keys.orders import KeyOrderError, read_order
from signer.keys.register import VaultRegister
from tests.harness.builders.cases import (
    ACCOUNT,
    ADMIN,
    ALICE,
    KEY_PATH,
    MALLORY,
    SECRET,
    SIGNER,
    SIMULATOR,
    address_of,
    key_answer,
    key_request,
    registered,
    sealed_request,
    service,
    with_keys,
)

OTHER_SECRET = b"\x02" * 32
REQUEST = key_request()
ANSWER = key_answer(REQUEST)


@pytest.fixture
def registry() -> Registry:
    return registered(AccountOpened(account="ops"), service(MALLORY, "gateway"))[1]


def refuses(register: VaultRegister, raw: bytes, registry: Registry, because: str) -> None:
    before = copy.deepcopy(register)
    with pytest.raises(KeyOrderError, match=because):
        register.load(raw, registry)
    assert register == before


def answer(**changes: Any) -> bytes:
    """Return a correctly signed answer with these fields changed."""
    return SIGNER.sign_event(key_answer(REQUEST, **changes))


def test_an_answered_request_is_a_key(registry: Registry) -> None:
    register = VaultRegister()
    register.load(answer(), registry)
    key = register.keys.find(ACCOUNT, KEY_PATH)
    assert key is not None
    assert (key.account, key.path, key.version) == (ACCOUNT, KEY_PATH, 1)
    assert key.address == address_of(SECRET)
    assert register.keys.find("ops", KEY_PATH) is None
    assert register.keys.find(ACCOUNT, KEY_PATH + "2") is None


def test_the_same_answer_twice_is_one_key(registry: Registry) -> None:
    register = with_keys(registry)
    before = copy.deepcopy(register)
    register.load(answer(), registry)
    assert register == before


@pytest.mark.parametrize("by", [MALLORY, SIMULATOR, ALICE, ADMIN])
def test_an_answer_of_another_service_or_person_is_no_key(by: Any, registry: Registry) -> None:
    forged = by.sign_event(ANSWER)
    refuses(VaultRegister(), forged, registry, "signed by any key .*signer-1")
    named = by.sign_event(ANSWER.model_copy(update={"signer": by.keyid}))
    refuses(VaultRegister(), named, registry, "signed by any key")


def test_an_unsigned_answer_is_no_key(registry: Registry) -> None:
    refuses(VaultRegister(), ANSWER.encode(), registry, "signed by any key .*signer-1")


def test_what_a_signer_answered_outlives_its_being_switched_off() -> None:
    _, registry = registered(service(SIGNER, "signer", active=False))
    register = VaultRegister()
    register.load(answer(), registry)
    assert register.keys.find(ACCOUNT, KEY_PATH) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"address": address_of(OTHER_SECRET)},
        {"path": "agents/alice/keys/cold"},
        {"version": 2},
        {"ciphertext": "0x04"},
        {"wrapped_dek": "0x04"},
        {"wrapped_kek": "0x04"},
        {"kms_key": "mine"},
        {"public_key": "0x04" + "11" * 64},
        {"vault": "other"},
        {"request": sealed_request(key_request(requested_at_ms=1))},
    ],
)
def test_an_answer_altered_after_signing_is_no_key(
    change: dict[str, Any], registry: Registry
) -> None:
    signed = KeyProvisioned.decode(answer())
    refuses(
        VaultRegister(), signed.model_copy(update=change).encode(), registry, "signed by any key"
    )


@pytest.mark.parametrize("change", [{"account": "ops"}, {"path": "keys/other"}])
def test_an_answer_for_another_key_than_was_asked_for_is_no_key(
    change: dict[str, Any], registry: Registry
) -> None:
    refuses(VaultRegister(), answer(**change), registry, "another key")


@pytest.mark.parametrize(
    ("request_envelope", "because"),
    [
        (sealed_request(REQUEST, MALLORY), "signed by an admin"),
        (sealed_request(REQUEST, ALICE), "signed by an admin"),
        (sealed_request(REQUEST, SIGNER), "signed by an admin"),
        (ADMIN.sign_envelope(REGISTRY_TYPE, REQUEST.encode()), "signed by an admin"),
        (ADMIN.sign_envelope("application/vnd.sixgate.key-request.v1+json", b"{}"), "malformed"),
        (sealed_request(key_request(account="unopened")), "account of the organisation"),
        (sealed_request(key_request(org="evil")), "account of the organisation"),
    ],
)
def test_a_request_that_no_admin_made_here_is_no_request(
    request_envelope: Any, because: str, registry: Registry
) -> None:
    with pytest.raises(KeyOrderError, match=because):
        read_order(request_envelope, registry)
    refuses(VaultRegister(), answer(request=request_envelope), registry, because)


def test_a_path_is_taken_once(registry: Registry) -> None:
    register = with_keys(registry)
    with pytest.raises(KeyOrderError, match="already"):
        register.keys.check_possible(REQUEST)
    other = SIGNER.sign_event(key_answer(REQUEST, OTHER_SECRET))
    refuses(register, other, registry, "already has a key")


def test_an_address_is_taken_once_over_all_accounts_and_paths(registry: Registry) -> None:
    register = with_keys(registry)
    for request in (key_request(path="keys/other"), key_request(account="ops")):
        again = SIGNER.sign_event(key_answer(request, SECRET))
        refuses(register, again, registry, "already belongs")
        register.keys.check_possible(request)


def test_the_same_path_in_two_accounts_is_two_keys(registry: Registry) -> None:
    register = with_keys(registry, (ACCOUNT, "keys/hot", SECRET), ("ops", "keys/hot", OTHER_SECRET))
    found = [register.keys.find(account, "keys/hot") for account in (ACCOUNT, "ops")]
    assert [key.address for key in found if key] == [address_of(SECRET), address_of(OTHER_SECRET)]


def test_an_account_s_vault_keeps_the_key_that_it_was_first_wrapped_under(
    registry: Registry,
) -> None:
    register = with_keys(registry)
    second = key_answer(key_request(path="keys/b"), OTHER_SECRET, wrapped_kek="0xff")
    refuses(register, SIGNER.sign_event(second), registry, "not under the key")
    assert register.wrappings.wrapped_kek((ACCOUNT, "__agent-keys")) == b"\x01"
    assert register.wrappings.wrapped_kek(("ops", "__agent-keys")) is None


@pytest.mark.parametrize("raw", [b"", b"{}", REQUEST.encode(), answer() + b" "])
def test_a_malformed_event_makes_no_key(raw: bytes, registry: Registry) -> None:
    refuses(VaultRegister(), raw, registry, "malformed")


def test_a_version_too_high_for_64_bits_is_malformed(registry: Registry) -> None:
    raw = answer().replace(b'"version":1', b'"version":18446744073709551616')
    refuses(VaultRegister(), raw, registry, "malformed")


def test_a_key_s_wrapped_secret_is_in_no_representation(registry: Registry) -> None:
    key = with_keys(registry).keys.find(ACCOUNT, KEY_PATH)
    assert key is not None
    assert "ciphertext" not in repr(key)


@pytest.mark.parametrize(
    ("path", "granted", "allowed"),
    [
        ("agents/alice/keys/hot", (), True),
        ("agents/alice/keys/a/b", (), True),
        ("agents/alice/chains/ethereum/private_key", (), True),
        ("agents/alice/hot", (), False),
        ("agents/alice/other/a", (), False),
        ("agents/alice/keys", (), False),
        ("agents/alice/keys2/a", (), False),
        ("agents/alice/hot", ("agents/alice/hot",), True),
        ("agents/alice2/keys/hot", (), False),
        ("agents/alic/keys/hot", (), False),
        ("agents/alice", (), False),
        ("agents/bob/alice", (), False),
        ("agents/bob/alice/hot", (), False),
        ("keys/agents/alice", (), False),
        ("wallets/alice/hot", (), False),
        ("keys/hot", ("keys/hot",), True),
        ("keys/hot2", ("keys/hot",), False),
        ("keys/hot/deeper", ("keys/hot",), False),
        ("keys/ho", ("keys/hot",), False),
        ("agents/bob/keys/hot", ("agents/bob/keys/hot",), True),
        ("agents/bob/keys/cold", ("agents/bob/keys/hot",), False),
    ],
)
def test_an_agent_may_use_its_own_keys_and_those_granted_by_name(
    path: str, granted: tuple[str, ...], *, allowed: bool
) -> None:
    assert may_use(granted, "alice", path) is allowed


def test_a_descriptor_hides_its_answer_but_compares_it(registry: Registry) -> None:
    one, other = (with_keys(registry).keys.find(ACCOUNT, KEY_PATH) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    changed: Canonical = key_answer(REQUEST, kms_key="other")
    assert one is not None
    assert one.provisioned != changed
