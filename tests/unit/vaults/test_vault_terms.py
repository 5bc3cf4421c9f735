"""A vault's mode and providers are fixed by its first record; later records cannot change them."""

import copy
from itertools import permutations
from typing import get_args

import pytest

from schemas.registry.custody import AGENT_KEYS, PROVIDERS, TREASURY_KEYS, CustodyMode, Tier
from schemas.registry.records import AccountOpened, Entry, SettingSet, VaultCreated
from signer.core.errors import RegistryRecordError
from signer.core.registry.registry import Registry
from signer.core.registry.vault import TREASURY_MODES, Vault, default_mode
from signer.custody.custody_modes import PLANS
from tests.harness.builders.cases import ACCOUNT, Operator, registered

MODES: tuple[CustodyMode, ...] = get_args(CustodyMode)
TIERS: tuple[Tier, ...] = get_args(Tier)
OPS = AccountOpened(account="ops")


def vault(name: str = "main", account: str = ACCOUNT, **terms: object) -> VaultCreated:
    return VaultCreated.model_validate({"account": account, "vault": name} | terms)


def tier(named: str) -> SettingSet:
    return SettingSet(name="org.tier", value=named)


def refuses(operator: Operator, registry: Registry, entry: Entry, because: str) -> None:
    before = copy.deepcopy(registry)
    with pytest.raises(RegistryRecordError, match=because):
        registry.apply(operator.sealed(operator.record(entry)))
    assert registry == before


@pytest.mark.parametrize("mode", MODES)
def test_a_vault_is_made_in_every_mode_with_the_usual_providers(mode: CustodyMode) -> None:
    _, registry = registered(vault(mode=mode))
    expected = Vault(ACCOUNT, "main", mode, PROVIDERS[: PLANS[mode].providers])
    assert registry.vaults[(ACCOUNT, "main")] == expected


@pytest.mark.parametrize("named", list(permutations(PROVIDERS)))
def test_providers_are_taken_by_name_and_in_order(named: tuple[str, ...]) -> None:
    _, registry = registered(vault(mode="2of3_multi_hsm", providers=named))
    assert registry.vaults[(ACCOUNT, "main")].providers == named


@pytest.mark.parametrize(
    ("mode", "named"),
    [
        ("envelope", ("gcp",)),
        ("2of2_client_custody", ("gcp",)),
        ("2of3_multi_hsm", ("gcp", "aws")),
        ("2of3_multi_hsm", ("gcp", "gcp", "aws")),
        ("2of3_multi_hsm", ("gcp", "aws", "server")),
        ("2of3_client_custody", ("gcp", "aws", "azure")),
        ("2of3_client_custody", ("gcp", "aws", "aws")),
    ],
)
def test_providers_that_are_not_what_the_mode_wants_make_no_vault(
    mode: CustodyMode, named: tuple[str, ...]
) -> None:
    operator, registry = registered()
    refuses(operator, registry, vault(mode=mode, providers=named), "provider")


@pytest.mark.parametrize("first", MODES)
@pytest.mark.parametrize("second", MODES)
def test_downgrading_a_vault_by_a_second_record_is_refused(
    first: CustodyMode, second: CustodyMode
) -> None:
    operator, registry = registered(vault(mode=first))
    refuses(operator, registry, vault(mode=second), f"mode {first}")


def test_replaying_the_record_of_a_vault_is_refused() -> None:
    operator, registry = registered(vault(mode="2of3_multi_hsm"))
    before = copy.deepcopy(registry)
    with pytest.raises(RegistryRecordError, match=r"record \d+$"):
        registry.apply(operator.written[-1])
    assert registry == before


def test_an_account_always_has_its_vault_for_agents_keys() -> None:
    operator, registry = registered(OPS)
    assert registry.vaults[("ops", AGENT_KEYS)] == Vault("ops", AGENT_KEYS, "envelope")
    late = vault(AGENT_KEYS, "ops", mode="2of3_multi_hsm")
    refuses(operator, registry, late, "mode envelope")


def test_the_agents_vault_is_set_while_no_key_can_be_in_it() -> None:
    early = vault(AGENT_KEYS, "ops", mode="2of3_multi_hsm", providers=("azure", "aws", "gcp"))
    _, registry = registered(early, OPS)
    kept = registry.vaults[("ops", AGENT_KEYS)]
    assert (kept.mode, kept.providers) == ("2of3_multi_hsm", ("azure", "aws", "gcp"))


def test_any_other_vault_waits_for_its_account() -> None:
    operator, registry = registered()
    refuses(operator, registry, vault(account="ops", mode="envelope"), "account ops")


@pytest.mark.parametrize("name", TIERS)
def test_the_tier_picks_the_mode_of_the_treasury_vault_once(name: Tier) -> None:
    operator, registry = registered(tier(name), OPS)
    kept = registry.vaults[("ops", TREASURY_KEYS)]
    assert kept.mode == TREASURY_MODES[name] == default_mode(TREASURY_KEYS, name)
    for other in TIERS:
        registry.apply(operator.write(tier(other)))
        registry.apply(operator.write(OPS))
        assert registry.vaults[("ops", TREASURY_KEYS)] == kept
    refuses(operator, registry, vault(TREASURY_KEYS, "ops", mode="envelope"), r"\bops\b")


def test_a_tier_that_comes_later_makes_no_vault_behind_an_open_account() -> None:
    operator, registry = registered(tier("enterprise"), OPS)
    assert (ACCOUNT, TREASURY_KEYS) not in registry.vaults
    registry.apply(operator.write(AccountOpened(account=ACCOUNT)))
    assert (ACCOUNT, TREASURY_KEYS) not in registry.vaults
    registry.apply(operator.write(vault(TREASURY_KEYS)))
    assert registry.vaults[(ACCOUNT, TREASURY_KEYS)].mode == "2of3_multi_hsm"


def test_a_treasury_vault_without_mode_and_tier_is_refused() -> None:
    operator, registry = registered()
    refuses(operator, registry, vault(TREASURY_KEYS), "org.tier")


@pytest.mark.parametrize("name", ["__agent-key", "__signer", "__treasury-keys2"])
def test_reserved_names_are_refused(name: str) -> None:
    operator, registry = registered()
    refuses(operator, registry, vault(name, mode="envelope"), "reserved")


@pytest.mark.parametrize(
    "wrong", [SettingSet(name="org.tier", value=each) for each in ("free", "Pro", "", 1, True)]
)
def test_an_unknown_tier_is_refused(wrong: SettingSet) -> None:
    operator, registry = registered()
    refuses(operator, registry, wrong, "setting")
