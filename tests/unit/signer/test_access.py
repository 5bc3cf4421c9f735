"""Access to secrets, attacked: nothing by default, deny wins, and no way around a blocked read."""

from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.access import ACCESS_MEANING, AccessReason, Grant, Operation, Right, SecretAccess
from schemas.reasons import Reason
from schemas.registry import AccessSet
from schemas.topics import Topic
from schemas.vault_events import SecretKind
from signer.access import RIGHTS, Accessor, Allowed, Refused, Target, decide, may_sign
from signer.access_records import Use, access_record
from signer.account import Account
from signer.authority import Allocation, Refusal, authorize
from signer.custody.failures import Cause, ProviderFailure
from signer.keys.paths import may_use
from signer.registry import RegistryRecordError
from signer.vaults.vault import Vault
from tests.harness.builders.cases import (
    ACCOUNT,
    AGENT,
    KEY_PATH,
    NOW_MS,
    SIGNER,
    agent,
    case,
    intent,
    key,
    registered,
)
from tests.harness.builders.path_globs import globs, paths, spelled_out
from tests.harness.builders.secret_vaults import ALL

MAIN = Vault(ACCOUNT, "main", "envelope")
KEYS = Vault(ACCOUNT, "__agent-keys", "envelope")
KINDS: tuple[SecretKind, ...] = get_args(SecretKind)
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
VALUES: tuple[Operation, ...] = ("get", "history", "export")
READ = Grant(effect="allow", vault="*", paths="**", rights=("read",))


def asks(
    operation: Operation,
    *grants: Grant,
    vault: Vault = MAIN,
    kind: SecretKind = "password",
    generated: bool = False,
    **changes: Any,
) -> AccessReason | None:
    """Return why alice may not, or None if she may."""
    path = changes.pop("path", "prod/db")
    judged = decide(
        Accessor(agent(**changes), grants), Target(vault, path, kind, generated), operation, NOW_MS
    )
    return judged.reason if isinstance(judged, Refused) else None


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_granted_by_default(operation: Operation, kind: SecretKind) -> None:
    assert asks(operation, kind=kind) in (AccessReason.NOT_GRANTED, AccessReason.KEY_NOT_GRANTED)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_one_deny_outweighs_every_allow(operation: Operation) -> None:
    deny = Grant(effect="deny", vault="main", paths="prod/*", rights=("read", "write", "sign"))
    for grants in ((ALL, deny), (deny, ALL), (ALL, ALL, deny, ALL)):
        assert asks(operation, *grants, vault=MAIN) is not None
        assert asks(operation, *grants, path="test/db") is None or operation == "sign"


@pytest.mark.parametrize(("right", "operation"), list(product(get_args(Right), RIGHTS)))
def test_a_right_is_good_for_its_operations_alone(right: Right, operation: Operation) -> None:
    grant = Grant(effect="allow", vault="main", paths="prod/*", rights=(right,))
    wanted = RIGHTS[operation] == right and right != "sign"
    assert (asks(operation, grant) is None) is wanted


@pytest.mark.parametrize("operation", VALUES)
@pytest.mark.parametrize("kind", ["private_key", "ssh_key"])
@pytest.mark.parametrize("generated", [True, False])
@pytest.mark.parametrize("vault", [MAIN, KEYS])
def test_with_the_intents_api_on_no_way_leads_to_a_private_key(
    operation: Operation,
    kind: SecretKind,
    generated: bool,  # noqa: FBT001 - a case
    vault: Vault,
) -> None:
    got = asks(operation, ALL, READ, kind=kind, generated=generated, vault=vault)
    assert got is AccessReason.KEY_READ_BLOCKED


@pytest.mark.parametrize("operation", VALUES)
@pytest.mark.parametrize("kind", ["private_key", "ssh_key"])
def test_with_it_off_a_users_own_key_is_read_where_granted_and_a_generated_one_never(
    operation: Operation, kind: SecretKind
) -> None:
    off: dict[str, Any] = {"intents_api_enabled": False}
    assert asks(operation, READ, kind=kind, **off) is None
    assert asks(operation, kind=kind, **off) is AccessReason.NOT_GRANTED
    assert asks(operation, ALL, kind=kind, generated=True, **off) is AccessReason.KEY_GENERATED


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"active": False}, AccessReason.AGENT_INACTIVE),
        ({"expires_at_ms": NOW_MS}, AccessReason.AGENT_EXPIRED),
        ({"account": "ops"}, AccessReason.VAULT_FOREIGN),
    ],
)
def test_an_agent_without_standing_reaches_nothing(
    operation: Operation, changes: dict[str, Any], reason: AccessReason
) -> None:
    assert asks(operation, ALL, vault=KEYS, path=KEY_PATH, **changes) is reason


def test_a_list_shows_only_what_something_is_granted_on() -> None:
    signs = Grant(effect="allow", vault="*", paths="keys/*", rights=("sign",))
    assert asks("list", signs, vault=KEYS, path="keys/hot", kind="private_key") is None
    assert asks("list", signs, vault=KEYS, path="wallets/a") is AccessReason.NOT_GRANTED
    assert asks("list", READ, kind="private_key") is None  # its name, not its value


effects, rights = st.sampled_from(["allow", "deny"]), st.sampled_from(get_args(Right))
grants = st.builds(
    Grant,
    effect=effects,
    vault=st.sampled_from(["*", "main", "other"]),
    paths=globs,
    rights=st.lists(rights, min_size=1, max_size=3).map(tuple),
)


@given(
    st.lists(grants, max_size=5).map(tuple), paths, st.sampled_from(["get", "put"]), st.booleans()
)
def test_a_decision_is_what_reading_all_grants_one_by_one_finds(
    given_: tuple[Grant, ...],
    path: str,
    operation: Operation,
    intents: bool,  # noqa: FBT001 - drawn by Hypothesis
) -> None:
    said = {
        grant.effect
        for grant in given_
        if RIGHTS[operation] in grant.rights
        and grant.vault != "other"
        and spelled_out(tuple(grant.paths.split("/")), tuple(path.split("/")))
    }
    wanted = "deny" not in said and "allow" in said
    assert (asks(operation, *given_, path=path, intents_api_enabled=intents) is None) is wanted


@given(st.lists(grants, max_size=5).map(tuple), paths, st.booleans())
def test_signing_is_what_reading_all_grants_one_by_one_finds(
    given_: tuple[Grant, ...],
    path: str,
    intents: bool,  # noqa: FBT001 - drawn by Hypothesis
) -> None:
    said = {
        (grant.effect, right)
        for grant in given_
        for right in grant.rights
        if grant.vault != "other"
        and spelled_out(tuple(grant.paths.split("/")), tuple(path.split("/")))
    }
    implied = intents and ("allow", "read") in said and ("deny", "read") not in said
    wanted = ("deny", "sign") not in said and (("allow", "sign") in said or implied)
    who = agent(intents_api_enabled=intents)
    assert may_sign(who, given_, "main", path) is wanted


def test_without_grants_an_agent_signs_with_what_it_always_did() -> None:
    for named in ((), ("keys/hot",)):
        for path in (KEY_PATH, "keys/hot", "agents/bob/keys/hot"):
            expected = may_use(named, AGENT, path)
            assert may_sign(agent(key_paths=named), (), "__agent-keys", path) is expected


def judged(path: str, *given_: Grant) -> str | None:
    asked = case(intent(key_path=path), key=key(path=path), grants=given_)
    found = authorize(asked, Account(account=ACCOUNT), SIGNER.keyid)
    if isinstance(found, Allocation):
        return None
    assert isinstance(found, Refusal)
    return getattr(found.live.pinned, "reason", None)


def test_the_signer_refuses_a_key_that_nothing_grants_and_signs_with_one_that_a_read_implies() -> (
    None
):
    assert judged("wallets/a") == Reason.KEY_NOT_GRANTED
    reads = Grant(effect="allow", vault="__agent-keys", paths="wallets/*", rights=("read",))
    assert judged("wallets/a", reads) is None
    elsewhere = reads.model_copy(update={"vault": "main"})
    assert judged("wallets/a", elsewhere) == Reason.KEY_NOT_GRANTED


def test_a_deny_takes_an_agents_own_key_away() -> None:
    assert judged(KEY_PATH) is None
    deny = Grant(effect="deny", vault="*", paths="agents/**", rights=("sign",))
    assert judged(KEY_PATH, ALL, deny) == Reason.KEY_NOT_GRANTED


@pytest.mark.parametrize("paths_", ["", "/a", "a/", "a//b", "../a", "a/..", ".", "a b", "a/" * 9])
def test_a_glob_that_is_no_path_is_no_grant(paths_: str) -> None:
    with pytest.raises(ValidationError):
        Grant(effect="allow", vault="main", paths=paths_, rights=("read",))


def test_grants_come_from_an_admin_and_the_last_record_counts() -> None:
    operator, registry = registered(AccessSet(agent=AGENT, grants=(ALL,)))
    assert registry.access[AGENT] == (ALL,)
    registry.apply(operator.write(AccessSet(agent=AGENT, grants=())))
    assert registry.access[AGENT] == ()
    nobody = operator.record(AccessSet(agent="nobody", grants=(ALL,)))
    with pytest.raises(RegistryRecordError, match="nobody"):
        registry.apply(operator.sealed(nobody))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("given_", [(), (ALL,)])
def test_every_use_is_on_record_whether_allowed_or_not(
    operation: Operation, given_: tuple[Grant, ...]
) -> None:
    accessor, target = Accessor(agent(), given_), Target(MAIN, "prod/db", "ssh_key", False)  # noqa: FBT003
    access = decide(accessor, target, operation, NOW_MS)
    use = Use("request-1", "acme", MAIN, "prod/db", 3, operation, AGENT, "10.0.0.7", NOW_MS)
    said = access_record(use, access, (ProviderFailure("aws", Cause.LIED),))
    record = SecretAccess.decode(said.value)
    assert said.topic is Topic.AUDIT
    assert record.allowed is isinstance(access, Allowed)
    assert (record.actor, record.client_address, record.at_ms) == (AGENT, "10.0.0.7", NOW_MS)
    assert (record.operation, record.failed) == (operation, ("aws",))
    assert (record.reason is None) is record.allowed


def test_every_reason_has_its_meaning() -> None:
    assert ACCESS_MEANING.keys() == set(AccessReason)


def test_the_page_has_every_reason_as_it_is() -> None:
    page = (Path(__file__).parents[3] / "docs" / "vaults.md").read_text("utf-8")
    for reason, meaning in ACCESS_MEANING.items():
        assert f"| `{reason}` | {meaning} |" in page
