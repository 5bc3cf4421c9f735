"""Readers decide records of version 1 of the golden registry, and any later one, as before.

Before version 2, a scoped admin's policy had to be within its ceiling in every field, and so had
the policy of each agent that it made or kept active.
"""

import copy
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from schemas.registry.policy import Policy
from schemas.registry.records import AgentSet, Entry, PolicySet, RecordVersion
from schemas.topics import Topic
from signer.core.errors import RegistryRecordError
from signer.core.registry.ceiling import looser_fields
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from sixgate.authoring.operator import record_envelope
from sixgate.data_folder.folder import DESK, Folder
from sixgate.data_folder.key_files import load_key_file
from tests.golden.opening import EXPECTED, unpack
from tests.harness.judge.promises import in_folder

policies = st.builds(
    Policy,
    tx_max_value_eth=st.sampled_from(["1", "unlimited"]),
    tx_max_fee_eth=st.sampled_from(["0.01", "0.05", "0.5", "unlimited"]),
    intents_per_minute=st.sampled_from([1, None]),
    allow_contract_creation=st.booleans(),
    message_signing_enabled=st.booleans(),
    allow_raw_hashes=st.booleans(),
    eip712_default_policy=st.sampled_from(["deny", "allow"]),
    delegate_allowlist=st.sampled_from([(), ("0x" + "ab" * 20,)]),
)


class Golden(NamedTuple):
    """The golden folder's records, its registry, and its admin's and its desk's key."""

    records: list[bytes]
    registry: Registry
    admin: Ed25519Signer
    desk: Ed25519Signer

    @property
    def agent(self) -> AgentSet:
        """The agent that the desk made."""
        (found,) = [
            agent
            for agent in self.registry.agents.values()
            if agent.gateway == "gateway-0" and agent.intents_api_enabled
        ]
        return found


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Golden:
    folder = Folder(unpack(tmp_path_factory.mktemp("golden")))
    records = in_folder(folder.path)(Topic.REGISTRY)
    registry = Registry(folder.trust().trust_root)
    for raw in records:
        registry.apply(raw)
    return Golden(records, registry, folder.admin(), load_key_file(folder.key(DESK), DESK))


def accepts(
    registry: Registry, key: Ed25519Signer, entry: Entry, version: RecordVersion = 1
) -> bool:
    """Apply an entry as the next record, and return whether the registry accepted it."""
    at = (registry.record_count, registry.last_digest)
    raw, _ = record_envelope(key, registry.org, at, entry, 1, version)
    try:
        registry.apply(raw)
    except RegistryRecordError:
        return False
    return True


def within(registry: Registry, policy: Policy) -> bool:
    scope = registry.scoped_admins[DESK]
    return set(looser_fields(policy, scope.ceiling)) <= {"eip712_domain_allowlist"}


def test_every_record_of_the_golden_registry_is_accepted(golden: Golden) -> None:
    expected = json.loads(Path(EXPECTED).read_bytes())["registry"]
    assert [golden.registry.record_count, golden.registry.last_digest] == expected
    assert len(golden.records) == golden.registry.record_count


@given(policies, policies, st.booleans())
def test_a_record_of_version_1_is_decided_as_before(
    golden: Golden,
    before: Policy,
    after: Policy,
    active: bool,  # noqa: FBT001 - drawn
) -> None:
    registry, agent = copy.deepcopy(golden.registry), golden.agent
    assert accepts(registry, golden.admin, PolicySet(policy_id=agent.policy_id, policy=before))
    switched = agent.model_copy(update={"active": active, "expires_at_ms": 5})
    kept = accepts(registry, golden.desk, switched)
    assert kept is (within(registry, before) or not active)
    changed = accepts(registry, golden.desk, PolicySet(policy_id=agent.policy_id, policy=after))
    assert changed is within(registry, after)
    event(f"agent {kept}, policy {changed}")


@given(policies)
def test_a_record_of_version_2_keeps_what_the_golden_admin_allowed(
    golden: Golden, before: Policy
) -> None:
    registry, agent = copy.deepcopy(golden.registry), golden.agent
    assert accepts(registry, golden.admin, PolicySet(policy_id=agent.policy_id, policy=before))
    tighter = before.model_copy(update={"tx_max_value_eth": "0.1"})
    for entry in (
        agent.model_copy(update={"active": False}),
        agent,
        PolicySet(policy_id=agent.policy_id, policy=tighter),
    ):
        assert accepts(registry, golden.desk, entry, 2)
