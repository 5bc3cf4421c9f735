"""Access to secrets: nothing by default, deny overrides allow, blocked reads stay blocked."""

from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.intents.reasons import Reason
from schemas.keys.secret_access import ACCESS_MEANING, AccessReason, Operation, SecretAccess
from schemas.keys.vault_events import SecretKind
from schemas.registry.access import Grant, Right
from schemas.registry.records import AccessSet
from schemas.topics import Topic
from signer.core.access import may_sign, may_use
from signer.core.account import Account
from signer.core.decide import Allocation, Refusal, authorize
from signer.core.errors import RegistryRecordError
from signer.core.registry.vault import Vault
from signer.custody.errors import Cause, ProviderFailure
from signer.keys.access import RIGHTS, Accessor, Allowed, Refused, Target, decide
from signer.keys.access_records import Use, access_record
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
    """Return the reason why alice is refused, or None."""
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
def test_a_deny_overrides_every_allow(operation: Operation) -> None:
    deny = Grant(effect="deny", vault="main", paths="prod/*", rights=("read", "write", "sign"))
    for grants in ((ALL, deny), (deny, ALL), (ALL, ALL, deny, ALL)):
        assert asks(operation, *grants, vault=MAIN) is not None
        assert asks(operation, *grants, path="test/db") is None or operation == "sign"


@pytest.mark.parametrize(("right", "operation"), list(product(get_args(Right), RIGHTS)))
def test_a_right_allows_only_its_operations(right: Right, operation: Operation) -> None:
    grant = Grant(effect="allow", vault="main", paths="prod/*", rights=(right,))
    wanted = RIGHTS[operation] == right and right != "sign"
    assert (asks(operation, grant) is None) is wanted


@pytest.mark.parametrize("operation", VALUES)
@pytest.mark.parametrize("kind", ["private_key", "ssh_key"])
@pytest.mark.parametrize("generated", [True, False])
@pytest.mark.parametrize("vault", [MAIN, KEYS])
def test_agents_with_the_intents_api_cannot_read_private_keys(
    operation: Operation,
    kind: SecretKind,
    generated: bool,  # noqa: FBT001 - a case
    vault: Vault,
) -> None:
    got = asks(operation, ALL, READ, kind=kind, generated=generated, vault=vault)
    assert got is AccessReason.KEY_READ_BLOCKED


@pytest.mark.parametrize("operation", VALUES)
@pytest.mark.parametrize("kind", ["private_key", "ssh_key"])
def test_agents_without_the_intents_api_read_granted_keys_but_never_generated_ones(
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
def test_an_inactive_expired_or_foreign_agent_is_refused(
    operation: Operation, changes: dict[str, Any], reason: AccessReason
) -> None:
    assert asks(operation, ALL, vault=KEYS, path=KEY_PATH, **changes) is reason


def test_a_list_shows_only_granted_paths() -> None:
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
def test_decisions_match_a_naive_evaluation_of_all_grants(
    given_: tuple[Grant, ...],
    path: str,
    operation: Operation,
    intents: bool,  # noqa: FBT001 - drawn by Hypothesis
) -> None:
    matching = {
        grant.effect
        for grant in given_
        if RIGHTS[operation] in grant.rights
        and grant.vault != "other"
        and spelled_out(tuple(grant.paths.split("/")), tuple(path.split("/")))
    }
    wanted = "deny" not in matching and "allow" in matching
    assert (asks(operation, *given_, path=path, intents_api_enabled=intents) is None) is wanted


@given(st.lists(grants, max_size=5).map(tuple), paths, st.booleans())
def test_signing_matches_a_naive_evaluation_of_all_grants(
    given_: tuple[Grant, ...],
    path: str,
    intents: bool,  # noqa: FBT001 - drawn by Hypothesis
) -> None:
    matching = {
        (grant.effect, right)
        for grant in given_
        for right in grant.rights
        if grant.vault != "other"
        and spelled_out(tuple(grant.paths.split("/")), tuple(path.split("/")))
    }
    implied = intents and ("allow", "read") in matching and ("deny", "read") not in matching
    wanted = ("deny", "sign") not in matching and (("allow", "sign") in matching or implied)
    who = agent(intents_api_enabled=intents)
    assert may_sign(who, given_, "main", path) is wanted


def test_without_grants_key_paths_decide() -> None:
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


def test_a_read_grant_implies_signing_and_no_grant_refuses() -> None:
    assert judged("wallets/a") == Reason.KEY_NOT_GRANTED
    reads = Grant(effect="allow", vault="__agent-keys", paths="wallets/*", rights=("read",))
    assert judged("wallets/a", reads) is None
    elsewhere = reads.model_copy(update={"vault": "main"})
    assert judged("wallets/a", elsewhere) == Reason.KEY_NOT_GRANTED


def test_a_deny_revokes_an_agents_own_key() -> None:
    assert judged(KEY_PATH) is None
    deny = Grant(effect="deny", vault="*", paths="agents/**", rights=("sign",))
    assert judged(KEY_PATH, ALL, deny) == Reason.KEY_NOT_GRANTED


@pytest.mark.parametrize("paths_", ["", "/a", "a/", "a//b", "../a", "a/..", ".", "a b", "a/" * 9])
def test_an_invalid_glob_is_rejected(paths_: str) -> None:
    with pytest.raises(ValidationError):
        Grant(effect="allow", vault="main", paths=paths_, rights=("read",))


def test_the_newest_access_record_replaces_all_grants() -> None:
    operator, registry = registered(AccessSet(agent=AGENT, grants=(ALL,)))
    assert registry.access[AGENT] == (ALL,)
    registry.apply(operator.write(AccessSet(agent=AGENT, grants=())))
    assert registry.access[AGENT] == ()
    unknown = operator.record(AccessSet(agent="unknown", grants=(ALL,)))
    with pytest.raises(RegistryRecordError, match="unknown"):
        registry.apply(operator.sealed(unknown))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("given_", [(), (ALL,)])
def test_every_use_is_recorded_whether_allowed_or_refused(
    operation: Operation, given_: tuple[Grant, ...]
) -> None:
    accessor, target = Accessor(agent(), given_), Target(MAIN, "prod/db", "ssh_key", False)  # noqa: FBT003
    access = decide(accessor, target, operation, NOW_MS)
    use = Use("request-1", "acme", MAIN, "prod/db", 3, operation, AGENT, "10.0.0.7", NOW_MS)
    outgoing = access_record(use, access, (ProviderFailure("aws", Cause.LIED),))
    record = SecretAccess.decode(outgoing.value)
    assert outgoing.topic is Topic.AUDIT
    assert record.allowed is isinstance(access, Allowed)
    assert (record.actor, record.client_address, record.at_ms) == (AGENT, "10.0.0.7", NOW_MS)
    assert (record.operation, record.failed) == (operation, ("aws",))
    assert (record.reason is None) is record.allowed


def test_every_reason_has_a_meaning() -> None:
    assert ACCESS_MEANING.keys() == set(AccessReason)


def test_every_reason_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "vaults.md").read_text("utf-8")
    for reason, meaning in ACCESS_MEANING.items():
        assert f"| `{reason}` | {meaning} |" in page
