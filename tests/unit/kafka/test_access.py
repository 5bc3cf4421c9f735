"""ACLs: exactly the declared ones, compared with those of the cluster."""

import pytest

from schemas.topics import TOPICS, Principal, Topic
from streams.kafka.access import (
    CLUSTER,
    SIGNER_TRANSACTIONS,
    Acl,
    MissingAcl,
    Operation,
    Pattern,
    Resource,
    SurplusAcl,
    declared_acls,
    diff_acls,
)
from streams.kafka.names import Names

NAMES = Names()
DECLARED = declared_acls(NAMES)
EVE = "User:eve"
SURPLUS = [
    Acl(EVE, Operation.READ, Resource.TOPIC, Topic.SIGNED),
    Acl(EVE, Operation.WRITE, Resource.TOPIC, "*"),
    Acl(EVE, Operation.ALL, Resource.TOPIC, "intents.", Pattern.PREFIXED),
    Acl("User:*", Operation.DESCRIBE, Resource.TOPIC, Topic.AUDIT),
    Acl(NAMES.user(Principal.PRODUCERS), Operation.WRITE, Resource.TOPIC, Topic.DECIDED),
    Acl(NAMES.user(Principal.PRODUCERS), Operation.WRITE, Resource.TOPIC, "a.topic.of.others"),
    Acl(NAMES.user(Principal.GATES), Operation.ALTER, Resource.CLUSTER, CLUSTER),
    Acl(EVE, Operation.WRITE, Resource.TRANSACTIONAL_ID, f"{SIGNER_TRANSACTIONS}-0"),
    Acl(EVE, Operation.WRITE, Resource.TRANSACTIONAL_ID, "six", Pattern.PREFIXED),
    Acl(EVE, Operation.READ, Resource.GROUP, "sixgate-gates"),
]
HARMLESS = {Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS}
OTHERS = [
    Acl(EVE, Operation.WRITE, Resource.TOPIC, "payments"),
    Acl(EVE, Operation.WRITE, Resource.TOPIC, "registry-of-others", Pattern.PREFIXED),
    Acl(EVE, Operation.READ, Resource.GROUP, "payments"),
    Acl("User:broker", Operation.CLUSTER_ACTION, Resource.CLUSTER, CLUSTER),
]


@pytest.mark.parametrize("topic", Topic)
@pytest.mark.parametrize("principal", Principal)
def test_a_principal_has_the_declared_rights_on_a_topic(principal: Principal, topic: Topic) -> None:
    given = {
        acl.operation
        for acl in DECLARED
        if acl.principal == NAMES.user(principal)
        and acl.resource is Resource.TOPIC
        and acl.name == topic
    }
    spec = TOPICS[topic]
    assert (Operation.WRITE in given) == (principal in spec.writers)
    assert (Operation.READ in given) == (principal in spec.readers)
    assert given <= {Operation.WRITE, Operation.READ, *HARMLESS}


def test_no_right_covers_all_resources_of_a_type() -> None:
    assert not [acl for acl in DECLARED if acl.name == "*" or acl.operation is Operation.ALL]


def test_only_the_signer_may_open_transactions() -> None:
    holders = {acl.principal for acl in DECLARED if acl.resource is Resource.TRANSACTIONAL_ID}
    assert holders == {NAMES.user(Principal.SIGNER)}


def test_declared_rights_have_no_differences() -> None:
    assert diff_acls(DECLARED, DECLARED, NAMES) == []


@pytest.mark.parametrize("acl", sorted(DECLARED), ids=str)
def test_a_missing_right_is_named(acl: Acl) -> None:
    assert diff_acls(DECLARED, DECLARED - {acl}, NAMES) == [MissingAcl(acl)]


@pytest.mark.parametrize("acl", SURPLUS, ids=str)
def test_an_undeclared_right_is_named(acl: Acl) -> None:
    assert diff_acls(DECLARED, DECLARED | {acl}, NAMES) == [SurplusAcl(acl)]


@pytest.mark.parametrize("acl", OTHERS, ids=str)
def test_rights_of_other_applications_are_left_alone(acl: Acl) -> None:
    assert diff_acls(DECLARED, DECLARED | {acl}, NAMES) == []
