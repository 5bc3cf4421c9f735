from typing import Any

import pytest

from schemas.intents.intent import TypedDataIntent
from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy, TypedDataDomain
from signer.core.account import Account
from signer.core.registry.settings import Settings
from signer.core.rules.decision import Decision, Passed, Rejected, Signable
from signer.core.rules.typed_data import decide
from tests.harness.builders.cases import ACCOUNT, COMMON, facts, policy
from tests.harness.builders.typed_data import (
    CHAIN,
    PERMIT_MEMBERS,
    USDC,
    changed,
    document,
    mail,
    permit,
    read,
    text,
    without,
)

MAIL, PERMIT = mail(), permit()
STRANGER = "0x" + "22" * 20
CONTRACT = "domain.verifyingContract"


def listed(**changes: Any) -> TypedDataDomain:
    return TypedDataDomain(**({"verifying_contract": USDC.lower()} | changes))


def decision(made: Any, under: Policy, *, strict: bool = False) -> Decision:
    intent = TypedDataIntent(**COMMON | {"chain_id": CHAIN}, typed_data=text(made))
    known = facts(settings=Settings(require_explicit=strict))
    return decide(intent, under, Account(account=ACCOUNT), known)


def reason(
    made: Any, *entries: TypedDataDomain, default: str = "deny", strict: bool = False
) -> Reason | None:
    allowed = policy(eip712_default_policy=default, eip712_domain_allowlist=entries)
    judged = decision(made, allowed, strict=strict)
    return judged.reason if isinstance(judged, Rejected) else None


def test_an_empty_policy_signs_no_typed_data() -> None:
    assert reason(MAIL) is Reason.DOMAIN_NOT_ALLOWED
    assert reason(PERMIT) is Reason.SPENDING_NOT_ALLOWED


def test_enabling_messages_does_not_enable_typed_data() -> None:
    on = policy(message_signing_enabled=True)
    assert isinstance(decision(MAIL, on), Rejected)
    off = policy(message_signing_enabled=False, eip712_domain_allowlist=(listed(),))
    assert isinstance(decision(MAIL, off), Passed)


@pytest.mark.parametrize(
    ("entry", "allowed"),
    [
        (listed(), True),
        (listed(chain_id=CHAIN), True),
        (listed(chain_id=1), False),
        (listed(name="USD Coin"), True),
        (listed(name="USDC"), False),
        (listed(name=""), False),
        (listed(version="2"), True),
        (listed(version="1"), False),
        (listed(primary_types=("Mail",)), True),
        (listed(primary_types=("Permit", "Mail")), True),
        (listed(primary_types=("mail",)), False),
        (listed(primary_types=("Person",)), False),
        (listed(verifying_contract=STRANGER), False),
        (listed(chain_id=CHAIN, name="USD Coin", version="2", primary_types=("Mail",)), True),
        (listed(chain_id=CHAIN, name="USD Coin", version="1", primary_types=("Mail",)), False),
    ],
)
def test_an_entry_allows_a_domain_that_matches_all_its_fields(
    entry: TypedDataDomain, *, allowed: bool
) -> None:
    assert reason(MAIL, entry) is (None if allowed else Reason.DOMAIN_NOT_ALLOWED)
    assert reason(MAIL, listed(verifying_contract=STRANGER), entry) == reason(MAIL, entry)


def test_the_case_of_an_address_does_not_matter() -> None:
    assert reason(changed(MAIL, CONTRACT, USDC.lower()), listed()) is None


@pytest.mark.parametrize("field", ["chain_id", "name", "version"])
def test_a_field_that_the_domain_lacks_matches_no_entry_with_that_field(field: str) -> None:
    entry_fields = {"chain_id": CHAIN, "name": "USD Coin", "version": "2"}
    member = {"chain_id": "chainId"}.get(field, field)
    bare = without(MAIL, f"domain.{member}")
    assert reason(bare, listed()) is None
    assert reason(bare, listed(**{field: entry_fields[field]})) is Reason.DOMAIN_NOT_ALLOWED


def test_the_default_decides_unlisted_domains() -> None:
    assert reason(MAIL, default="allow") is None
    assert reason(without(MAIL, CONTRACT), default="allow") is None
    assert reason(MAIL, listed(verifying_contract=STRANGER), default="allow") is None
    assert reason(MAIL, listed(chain_id=1), default="allow") is None


def test_a_listed_domain_is_limited_to_its_types_whatever_the_default() -> None:
    entry = listed(primary_types=("Permit",))
    assert reason(MAIL, entry, default="allow") is Reason.DOMAIN_NOT_ALLOWED


@pytest.mark.parametrize("default", ["deny", "allow"])
def test_spending_needs_an_entry_whatever_the_default(default: str) -> None:
    def asked(*entries: TypedDataDomain) -> Reason | None:
        return reason(PERMIT, *entries, default=default)

    assert asked() is Reason.SPENDING_NOT_ALLOWED
    assert asked(listed(verifying_contract=STRANGER)) is Reason.SPENDING_NOT_ALLOWED
    assert asked(listed(chain_id=1)) is Reason.SPENDING_NOT_ALLOWED
    assert asked(listed(primary_types=("Mail",))) is Reason.SPENDING_NOT_ALLOWED
    assert asked(listed()) is None
    assert asked(listed(primary_types=("Permit",))) is None


def test_strict_organisations_need_an_entry_with_the_spending_type() -> None:
    assert reason(PERMIT, listed(), strict=True) is Reason.SPENDING_NOT_ALLOWED
    assert reason(PERMIT, listed(primary_types=("Permit",)), strict=True) is None
    assert reason(PERMIT, listed(), listed(primary_types=("Permit",)), strict=True) is None
    assert reason(PERMIT, listed(), listed(primary_types=("Mail",)), strict=True) is not None
    assert reason(MAIL, listed(), strict=True) is None


@pytest.mark.parametrize("default", ["deny", "allow"])
def test_a_renamed_permit_is_rejected(default: str) -> None:
    renamed = document("Login", PERMIT["message"], Login=PERMIT_MEMBERS)
    assert reason(renamed, default=default) is Reason.SPENDING_NOT_ALLOWED
    named = listed(primary_types=("Permit",))
    assert reason(renamed, named, default=default) is Reason.SPENDING_NOT_ALLOWED


def test_a_listed_permit_for_every_chain_is_rejected() -> None:
    bare = without(without(PERMIT, "types.EIP712Domain"), "domain.chainId")
    assert reason(bare, listed()) is Reason.SPENDING_NOT_ALLOWED
    salted = changed(bare, "domain.salt", f"0x{CHAIN:064x}")
    assert reason(salted, listed()) is None
    assert reason(changed(bare, "domain.salt", f"0x{1:064x}"), listed()) is not None


def test_an_invalid_document_is_rejected_with_code_and_place() -> None:
    wrong = changed(PERMIT, "message.value", -1)
    anything = policy(eip712_default_policy="allow", eip712_domain_allowlist=(listed(),))
    judged = decision(wrong, anything)
    assert isinstance(judged, Rejected)
    assert judged.reason is Reason.INVALID_TYPED_DATA
    assert judged.evidence == {"code": "integer_out_of_range", "place": "message.value"}
    assert judged.detail.startswith("integer_out_of_range: message.value must be")


def test_a_permit_for_another_chain_is_rejected() -> None:
    assert reason(changed(PERMIT, "domain.chainId", 1), listed()) is Reason.INVALID_TYPED_DATA


def test_the_signable_digest_is_the_one_in_the_evidence() -> None:
    allowed = policy(eip712_domain_allowlist=(listed(),))
    judged = decision(PERMIT, allowed)
    digest = read(PERMIT).digest
    about = {"primary_type": "Permit", "verifying_contract": USDC.lower()}
    evidence = about | {"digest": f"0x{digest.hex()}", "spending": "permit"}
    assert judged == Passed(evidence, Signable(digest, about))
