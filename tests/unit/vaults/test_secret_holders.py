"""Secrets and signing keys under different holders: neither opens the other."""

import pytest

from schemas.keys.key_events import KeyRequest
from schemas.registry.custody import AGENT_KEYS, CustodyMode
from schemas.topics import Topic
from signer.custody.context import VaultContext
from signer.custody.custody_modes import PLANS
from signer.custody.errors import CustodyError
from signer.custody.kms.local import LocalKms
from signer.custody.provider import Provider
from signer.custody.sealing import Holders
from tests.harness.builders.cases import ACCOUNT, NOW_MS, ORG
from tests.harness.builders.custody_client import FOR_CLIENT
from tests.harness.builders.custody_material import root_kms
from tests.harness.builders.custody_providers import MODES, NAMES
from tests.harness.builders.order_executor import terms, why
from tests.harness.builders.secret_vaults import VALUE
from tests.harness.builders.vault_orders import executor, opened, put, rotate, stored_event


def elsewhere(name: str, cloud: str) -> LocalKms:
    return root_kms(f"{name} {cloud}".encode().ljust(32, b"-"), seed=f"{name} {cloud}")


def holders_called(name: str) -> Holders:
    """Return a root and three providers; none opens a blob of another name's holder."""
    providers = [Provider(one, elsewhere(name, one), lambda _: None) for one in NAMES]
    return Holders(elsewhere(name, "root"), tuple(providers))


@pytest.mark.parametrize("mode", MODES)
def test_secrets_under_separate_keys_do_not_open_with_those_of_signing_keys(
    mode: CustodyMode,
) -> None:
    with executor(mode) as one:
        one.operations.vaults.secret_holders = holders_called("own")
        share_for = FOR_CLIENT if PLANS[mode].needs_client else None
        event = stored_event(one.send(put(share_for=share_for)))
        assert opened(one, event) == VALUE
        one.operations.vaults.secret_holders = None
        with pytest.raises(CustodyError):
            opened(one, event)


def test_a_vaults_new_key_and_new_root_are_those_of_its_kind() -> None:
    with executor() as one:
        own = one.operations.vaults.secret_holders = holders_called("own")
        event = stored_event(one.send(put()))
        for sequence, change in enumerate(("kek", "root"), 1):
            one.send(rotate(sequence, change=change))
            while one.operations.maintenance.rewrap(NOW_MS):
                continue
            assert opened(one, event) == VALUE
        key = one.register.secrets.wrappings.wrapped_kek((ACCOUNT, "main"))
        assert key
        context = VaultContext(org=ORG, account=ACCOUNT, vault="main", mode="envelope")
        assert own.root.unwrap(key, context.aad())


def test_signing_keys_stay_with_their_own_holders() -> None:
    with executor() as one:
        one.operations.vaults.secret_holders = holders_called("own")
        made = one.order(KeyRequest(**terms()))
        assert made.topic is Topic.VAULT, why(made)
        turned = one.send(rotate(vault=AGENT_KEYS))
        assert turned.topic is Topic.VAULT, why(turned)
        key = one.register.keys.wrappings.wrapped_kek((ACCOUNT, AGENT_KEYS))
        assert key
        context = VaultContext(org=ORG, account=ACCOUNT, vault=AGENT_KEYS, mode="envelope")
        assert one.holders
        assert one.holders.root.unwrap(key, context.aad())
