"""What a process is told of rights: what it lacks or has too much, and what others may do."""

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
    """Return what a broker says that a principal may do: DESCRIBE comes with the others."""
    told = {a for a in DECLARED if a.principal == NAMES.user(principal) and a.resource in REPORTED}
    use = {Operation.READ, Operation.WRITE}
    return told | {a._replace(operation=Operation.DESCRIBE) for a in told if a.operation in use}


@pytest.mark.parametrize("process", sorted(PROCESSES))
def test_what_is_declared_differs_in_nothing(process: Principal) -> None:
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
def test_writing_where_one_should_only_read_is_too_much(process: Principal) -> None:
    for topic, spec in TOPICS.items():
        if process not in spec.writers:
            acl = Acl(NAMES.user(process), Operation.WRITE, Resource.TOPIC, topic)
            assert SurplusAcl(acl) in own_differences(process, held_by(process) | {acl}, NAMES)


def test_whoever_may_change_the_cluster_is_no_process() -> None:
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
def test_what_others_may_do_with_what_is_ours_is_named(process: Principal, acl: Acl) -> None:
    assert granted_differences(process, DECLARED | {acl}, NAMES) == [SurplusAcl(acl)]


@pytest.mark.parametrize(
    "acl",
    [
        Acl(EVE, Operation.WRITE, Resource.TOPIC, Topic.STATE),  # the signer's
        Acl(GATES, Operation.READ, Resource.TOPIC, "a.topic.of.a.newer.version"),
        Acl(EVE, Operation.WRITE, Resource.TOPIC, "payments"),
    ],
)
def test_what_a_process_does_not_use_does_not_keep_it_from_starting(acl: Acl) -> None:
    assert granted_differences(Principal.GATES, DECLARED | {acl}, NAMES) == []


def test_what_others_lack_is_their_own_concern() -> None:
    others = {acl for acl in DECLARED if acl.principal == GATES}
    assert granted_differences(Principal.GATES, others, NAMES) == []
