"""The start check of rights: missing and surplus rights, and rights of others."""

import pytest

from schemas.topics import PROCESSES, TOPICS, Principal, Topic
from streams.kafka.access import (
    CLUSTER,
    GATES_GROUP,
    SIGNER_TRANSACTIONS,
    Acl,
    MissingAcl,
    Operation,
    Pattern,
    Resource,
    SurplusAcl,
    declared_acls,
)
from streams.kafka.names import Names
from streams.kafka.rights import REPORTED, granted_differences, own_differences

NAMES = Names()
DECLARED = declared_acls(NAMES)
EVE = "User:eve"
GATES = NAMES.user(Principal.GATES)


def held_by(principal: Principal) -> set[Acl]:
    """Return the effective rights that a broker reports; other operations imply DESCRIBE."""
    declared = {
        a for a in DECLARED if a.principal == NAMES.user(principal) and a.resource in REPORTED
    }
    use = {Operation.READ, Operation.WRITE}
    return declared | {
        a._replace(operation=Operation.DESCRIBE) for a in declared if a.operation in use
    }


@pytest.mark.parametrize("process", sorted(PROCESSES))
def test_declared_rights_have_no_differences(process: Principal) -> None:
    assert own_differences(process, held_by(process), NAMES) == []
    assert granted_differences(process, DECLARED, NAMES) == []


@pytest.mark.parametrize("process", sorted(PROCESSES))
def test_each_right_that_is_missing_is_named(process: Principal) -> None:
    held = held_by(process)
    for acl in held:
        assert own_differences(process, held - {acl}, NAMES) == [MissingAcl(acl)]
    for acl in (acl for acl in DECLARED if acl.principal == NAMES.user(process)):
        assert granted_differences(process, DECLARED - {acl}, NAMES) == [MissingAcl(acl)]


@pytest.mark.parametrize("process", sorted(PROCESSES))
def test_a_right_to_write_where_only_reading_is_declared_is_surplus(process: Principal) -> None:
    for topic, spec in TOPICS.items():
        if process not in spec.writers:
            acl = Acl(NAMES.user(process), Operation.WRITE, Resource.TOPIC, topic)
            assert SurplusAcl(acl) in own_differences(process, held_by(process) | {acl}, NAMES)


def test_a_process_that_can_alter_the_cluster_has_a_surplus_right() -> None:
    acl = Acl(GATES, Operation.ALTER, Resource.CLUSTER, CLUSTER)
    held = held_by(Principal.GATES) | {acl}
    assert own_differences(Principal.GATES, held, NAMES) == [SurplusAcl(acl)]


@pytest.mark.parametrize(
    ("process", "acl"),
    [
        (Principal.SIGNER, Acl(EVE, Operation.WRITE, Resource.TOPIC, Topic.STATE)),
        (Principal.GATES, Acl("User:*", Operation.ALL, Resource.TOPIC, "*")),
        (Principal.LEDGER, Acl(EVE, Operation.WRITE, Resource.TOPIC, "out", Pattern.PREFIXED)),
        (Principal.GATES, Acl(EVE, Operation.READ, Resource.GROUP, GATES_GROUP)),
        (
            Principal.SIGNER,
            Acl(EVE, Operation.WRITE, Resource.TRANSACTIONAL_ID, f"{SIGNER_TRANSACTIONS}-acme-0"),
        ),
    ],
)
def test_rights_of_others_on_our_resources_are_named(process: Principal, acl: Acl) -> None:
    assert granted_differences(process, DECLARED | {acl}, NAMES) == [SurplusAcl(acl)]


@pytest.mark.parametrize(
    "acl",
    [
        Acl(EVE, Operation.WRITE, Resource.TOPIC, Topic.STATE),  # the signer's
        Acl(GATES, Operation.READ, Resource.TOPIC, "a.topic.of.a.newer.version"),
        Acl(EVE, Operation.WRITE, Resource.TOPIC, "payments"),
    ],
)
def test_rights_on_resources_that_a_process_does_not_use_are_ignored(acl: Acl) -> None:
    assert granted_differences(Principal.GATES, DECLARED | {acl}, NAMES) == []


def test_missing_rights_of_others_are_ignored() -> None:
    others = {acl for acl in DECLARED if acl.principal == GATES}
    assert granted_differences(Principal.GATES, others, NAMES) == []
