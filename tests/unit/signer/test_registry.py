"""The registry applies verified records in order; a refused record changes nothing."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from schemas.dsse import KEY_REQUEST_TYPE, REGISTRY_TYPE
from schemas.registry.records import (
    GENESIS_PREVIOUS,
    AccountOpened,
    ChainRemoved,
    ChainSet,
    Entry,
    PolicySet,
    SettingSet,
    record_digest,
)
from schemas.topics import INTERNAL_BYTES_MAX
from signer.core.errors import RegistryRecordError
from signer.core.registry.registry import Registry
from signer.core.registry.settings import Settings
from tests.harness.builders.cases import (
    ACCOUNT,
    ADMIN,
    ALICE,
    BASE,
    MALLORY,
    NOW_MS,
    SIGNER,
    SIMULATOR,
    Operator,
    agent,
    chain,
    founded,
    founding,
    policy,
    registered,
    service,
)

OPEN_OPS = AccountOpened(account="ops")


def refuses(registry: Registry, raw: bytes, because: str) -> None:
    """Check that a record is refused and the registry unchanged."""
    before = copy.deepcopy(registry)
    with pytest.raises(RegistryRecordError, match=because):
        registry.apply(raw)
    assert registry == before


def test_records_in_order_build_the_registry() -> None:
    operator, registry = registered()
    assert (registry.org, registry.partitions) == ("acme", 4)
    assert registry.accounts == {ACCOUNT}
    assert registry.agents["alice"].public_key == ALICE.public_key
    assert registry.policies["standard"].policy == policy()
    assert registry.chains[BASE] == chain()
    assert registry.service_key("signer", "signer-1") == SIGNER.public_key
    assert (registry.record_count, registry.last_digest) == (len(operator.written), operator.head)


def test_the_same_records_give_the_same_registry() -> None:
    operator, registry = registered(OPEN_OPS)
    again = Registry(registry.trust_root)
    for raw in operator.written:
        again.apply(raw)
    assert again == registry


def sealed_body(body: bytes) -> bytes:
    return ADMIN.sign_envelope(REGISTRY_TYPE, body).encode()


def renumbered(op: Operator, number: int) -> bytes:
    """Return the next record with a sequence that the model would reject."""
    body = op.record(OPEN_OPS).encode()
    return body.replace(b'"sequence":%d' % len(op.written), b'"sequence":%d' % number)


# Each attack gets an operator with a valid next record, and modifies that record.
ATTACKS: dict[str, tuple[str, Callable[[Operator], bytes]]] = {
    "signed by an unknown key": ("admin", lambda op: op.sealed(op.record(OPEN_OPS), MALLORY)),
    "signed by an agent": ("admin", lambda op: op.sealed(op.record(OPEN_OPS), ALICE)),
    "signed by the signer": ("admin", lambda op: op.sealed(op.record(OPEN_OPS), SIGNER)),
    "signed as something else": (
        "admin",
        lambda op: ADMIN.sign_envelope(KEY_REQUEST_TYPE, op.record(OPEN_OPS).encode()).encode(),
    ),
    "replayed": (r"record -?\d+$", lambda op: op.written[-1]),
    "the first record again": (r"record -?\d+$", lambda op: op.written[0]),
    "leaving a gap": (
        r"record -?\d+$",
        lambda op: op.sealed(op.record(OPEN_OPS, sequence=len(op.written) + 1)),
    ),
    "with an old number": (r"record -?\d+$", lambda op: op.sealed(op.record(OPEN_OPS, sequence=1))),
    "after another predecessor": (
        r"record -?\d+$",
        lambda op: op.sealed(op.record(OPEN_OPS, previous=record_digest(b"x"))),
    ),
    "after nothing": (
        r"record -?\d+$",
        lambda op: op.sealed(op.record(OPEN_OPS, previous=GENESIS_PREVIOUS)),
    ),
    "of another organisation": (
        "another organisation",
        lambda op: op.sealed(op.record(OPEN_OPS, org="evil")),
    ),
    "founding once more": ("already", lambda op: op.sealed(op.record(founding()))),
    "founding with mallory as admin": (
        "admin",
        lambda op: op.sealed(op.record(founding(admin_keys=(MALLORY.public_key,))), MALLORY),
    ),
    "agent of an unopened account": (
        "account ops",
        lambda op: op.sealed(op.record(agent(agent="bob", account="ops"))),
    ),
    "agent moved to another account": (
        "alice .*treasury",
        lambda op: op.sealed(op.record(agent(account="other"))),
    ),
    "alias of another chain": (
        "belongs to chain 8453",
        lambda op: op.sealed(op.record(ethereum(aliases=("base-mainnet",)))),
    ),
    "name of another chain": (
        "belongs to chain 8453",
        lambda op: op.sealed(op.record(ethereum(name="base"))),
    ),
    "name that is another's alias": (
        "belongs to chain 8453",
        lambda op: op.sealed(op.record(ethereum(name="base-mainnet"))),
    ),
    "alias that is another's name": (
        "belongs to chain 8453",
        lambda op: op.sealed(op.record(ethereum(aliases=("x", "base")))),
    ),
    "removing a chain that is not there": (
        "not registered",
        lambda op: op.sealed(op.record(ChainRemoved(chain_id=1))),
    ),
    "a number past 2^53": ("sequence", lambda op: sealed_body(renumbered(op, 2**53))),
    "a number past 64 bits": ("sequence", lambda op: sealed_body(renumbered(op, 2**64))),
    "an unknown entry": (
        "unknown",
        lambda op: sealed_body(op.record(OPEN_OPS).encode().replace(b"t.opened", b"t.stolen")),
    ),
    "no record": ("malformed", lambda _: sealed_body(b"{}")),
    "no envelope": ("malformed", lambda op: op.record(OPEN_OPS).encode()),
    "no bytes": ("malformed", lambda _: b""),
    "loose JSON in the envelope": (
        "malformed",
        lambda op: sealed_body(op.record(OPEN_OPS).encode() + b" "),
    ),
    "loose JSON around it": ("malformed", lambda op: op.sealed(op.record(OPEN_OPS)) + b"\n"),
}


def ethereum(**changes: Any) -> ChainSet:
    return chain(**({"chain_id": 1, "name": "ethereum", "aliases": ()} | changes))


@pytest.mark.parametrize("name", ATTACKS)
def test_an_invalid_record_is_refused_and_changes_nothing(name: str) -> None:
    operator, registry = registered(AccountOpened(account="other"))
    because, attack = ATTACKS[name]
    refuses(registry, attack(operator), because)
    registry.apply(operator.write(OPEN_OPS))  # and the chain goes on as if it had never come
    assert "ops" in registry.accounts


def test_a_record_with_one_altered_byte_is_refused() -> None:
    operator, registry = founded()
    raw = operator.write(OPEN_OPS)
    before = copy.deepcopy(registry)
    for position in range(len(raw)):
        for flip in (1, 0x20):
            altered = bytearray(raw)
            altered[position] ^= flip
            try:
                registry.apply(bytes(altered))
            except RegistryRecordError:
                continue
            # The key id is an unsigned hint: it may be wrong, the content may not.
            assert registry.accounts == {"ops"}
            registry = copy.deepcopy(before)
    assert registry == before


def test_only_the_trust_root_is_accepted_as_the_first_record() -> None:
    operator = Operator()
    genesis = operator.write(founding())
    mallory = Operator(MALLORY)
    theirs = mallory.write(founding(admin_keys=(MALLORY.public_key,)))
    registry = Registry(operator.head)
    refuses(registry, theirs, "trust root")
    refuses(registry, operator.sealed(operator.record(OPEN_OPS)), "admin")
    registry.apply(genesis)


def test_the_first_record_must_be_signed_by_a_key_that_it_names() -> None:
    operator = Operator(MALLORY)
    record = operator.record(founding())
    refuses(Registry(record_digest(record.encode())), operator.sealed(record), "admin")


@pytest.mark.parametrize("changes", [{"sequence": 1}, {"previous": "0x" + "11" * 32}])
def test_a_first_record_with_a_previous_one_is_refused(changes: dict[str, object]) -> None:
    operator = Operator()
    record = operator.record(founding(), **changes)
    refuses(Registry(record_digest(record.encode())), operator.sealed(record), r"record -?\d+$")


def test_only_admins_may_sign() -> None:
    operator = Operator()
    genesis = operator.write(founding(admin_keys=(ADMIN.public_key, SIMULATOR.public_key)))
    registry = Registry(operator.head)
    registry.apply(genesis)
    registry.apply(operator.sealed(operator.record(OPEN_OPS), SIMULATOR))
    refuses(registry, operator.sealed(operator.record(OPEN_OPS), ALICE), "admin")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("policies.require_explicit", 1),
        ("policies.require_explicit", "true"),
        ("policies.require_explicit", ""),
        ("simulation.required", True),
        ("simulation.required", "never"),
        ("simulation.required", "Always"),
        ("simulation.age_ms_max", 999),
        ("simulation.age_ms_max", 24 * 60 * 60 * 1000 + 1),
        ("simulation.age_ms_max", 0),
        ("simulation.age_ms_max", True),
        ("simulation.age_ms_max", "60000"),
    ],
)
def test_a_setting_of_a_wrong_value_is_refused(name: str, value: object) -> None:
    operator, registry = founded()
    entry = SettingSet(name=name, value=value)  # type: ignore[arg-type] # the attack
    refuses(registry, operator.sealed(operator.record(entry)), "setting")
    assert registry.settings == Settings()


def test_a_setting_changes_only_itself() -> None:
    operator, registry = founded()
    entries: list[Entry] = [
        SettingSet(name="policies.require_explicit", value=False),
        SettingSet(name="simulation.required", value="always"),
        SettingSet(name="simulation.age_ms_max", value=1_000),
    ]
    expected = [
        Settings(require_explicit=False),
        Settings(require_explicit=False, simulation_always=True),
        Settings(require_explicit=False, simulation_always=True, simulation_age_ms_max=1_000),
    ]
    for entry, settings in zip(entries, expected, strict=True):
        registry.apply(operator.write(entry))
        assert registry.settings == settings


def test_an_agents_account_cannot_change() -> None:
    operator, registry = registered()
    changed = agent(public_key=MALLORY.public_key, active=False, expires_at_ms=NOW_MS)
    registry.apply(operator.write(changed))
    assert registry.agents["alice"] == changed


def test_chains_may_keep_release_and_take_over_names() -> None:
    operator, registry = registered()
    registry.apply(operator.write(chain(aliases=("base-new",))))
    assert registry.chain_named("base-mainnet") is None
    taking = ethereum(aliases=("base-mainnet",))
    registry.apply(operator.write(taking))
    assert registry.chain_named("base-mainnet") == taking
    assert registry.chain_named("ethereum") == taking
    registry.apply(operator.write(ChainRemoved(chain_id=1)))
    assert registry.chain_named("ethereum") is None


def test_the_newest_policy_of_a_name_is_in_force_with_its_own_digest() -> None:
    operator, registry = registered()
    first = registry.policies["standard"].digest
    registry.apply(
        operator.write(PolicySet(policy_id="standard", policy=policy(tx_max_value_eth="1")))
    )
    assert registry.policies["standard"].policy.value_wei_max == 10**18
    assert registry.policies["standard"].digest != first


def test_an_inactive_service_has_no_key() -> None:
    operator, registry = registered()
    registry.apply(operator.write(service(SIMULATOR, "simulator", active=False)))
    assert registry.service_key("simulator", SIMULATOR.keyid) is None


def test_a_services_key_belongs_to_its_role_only() -> None:
    _, registry = registered()
    assert registry.service_key("simulator", SIGNER.keyid) is None
    assert registry.service_key("signer", SIMULATOR.keyid) is None
    assert registry.service_key("signer", "signer-2") is None


@pytest.mark.parametrize("junk", [b"Z" * 5_000, b"\\u001b[2J"])
def test_a_refusal_fits_into_an_audit_record(junk: bytes) -> None:
    operator, registry = founded()
    body = operator.record(OPEN_OPS).encode()
    forgeries = [
        body.replace(b'"org"', b'"' + junk + b'":1,"org"'),
        body.replace(b"account.opened", junk),
    ]
    for forgery in forgeries:
        raw = MALLORY.sign_envelope(REGISTRY_TYPE, forgery).encode()
        assert len(raw) < INTERNAL_BYTES_MAX
        with pytest.raises(RegistryRecordError) as refusal:
            registry.apply(raw)
        assert len(str(refusal.value)) < 512
        assert str(refusal.value).isprintable()


def test_an_empty_registry_has_the_genesis_head() -> None:
    assert GENESIS_PREVIOUS == "0x" + "00" * 32
    assert Registry("0x" + "11" * 32).last_digest == GENESIS_PREVIOUS
