"""A signer with three cloud providers, and the client that holds a key share of an account."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from schemas.intents.intent_parts import ClientShare
from schemas.keys.client_share import ClientShareContext
from schemas.keys.key_events import AnyOrder, KeyProvisioned
from schemas.registry.custody import AGENT_KEYS, CustodyMode
from schemas.registry.records import AccountOpened, VaultCreated
from schemas.topics import Topic
from signer.core.ethereum.keccak import keccak256
from signer.custody.custody_modes import PLANS
from signer.custody.hpke import HpkeKey, seal_for
from signer.custody.sealing import Holders
from signer.custody.share_key import ShareKeyBoxes, ShareKeys, new_share_key
from signer.keys.descriptor import KeyDescriptor
from tests.harness.builders.cases import AGENT, KEY_PATH, ORG, SIGNER
from tests.harness.builders.custody_material import Stream, root_kms
from tests.harness.builders.custody_providers import NAMES, Clouds, clouds
from tests.harness.builders.order_executor import OrderExecutor, terms, why
from tests.harness.builders.vault_events import FUND

CLIENT = HpkeKey(b"c" * 32)
FOR_CLIENT = f"0x{CLIENT.public_key.hex()}"
DIGEST = keccak256(b"a transaction")


@dataclass
class Fund:
    """A signer with three clouds, and the client of an account in one mode."""

    mode: CustodyMode
    clouds: Clouds
    configured: tuple[str, ...] = NAMES
    executor: OrderExecutor = field(init=False)
    now_ms: int = 0

    def __post_init__(self) -> None:
        known = self.clouds.holders("2of3_multi_hsm").providers
        providers = tuple(each for each in known if each.name in self.configured)
        made = VaultCreated(account=FUND, vault=AGENT_KEYS, mode=self.mode)
        self.executor = OrderExecutor(
            entries=(made, AccountOpened(account=FUND)),
            holders=Holders(self.clouds.root, providers),
        )
        keys = ShareKeys(org=ORG, signer=SIGNER.keyid)
        keys = keys.rotated(new_share_key(root_kms(), keys, 0, Stream("share key")))
        self.boxes = ShareKeyBoxes(root_kms(), keys, lambda: self.now_ms)
        self.executor.keychain.share_boxes = self.boxes

    def give(self, kind: type[AnyOrder], **changes: Any) -> KeyProvisioned:
        said = self.executor.order(kind(**terms(account=FUND, **self.to_client() | changes)))
        assert said.topic is Topic.VAULT, why(said)
        return KeyProvisioned.decode(said.value)

    def to_client(self) -> dict[str, Any]:
        return {"share_for": FOR_CLIENT} if PLANS[self.mode].needs_client else {}

    def key(self, version: int = 1) -> KeyDescriptor:
        key = self.executor.keys.version(FUND, KEY_PATH, version)
        assert key is not None
        return key

    def place(self, version: int = 1) -> ClientShareContext:
        return ClientShareContext(
            org=ORG, account=FUND, vault=AGENT_KEYS, path=KEY_PATH, version=version
        )

    def received(self, answer: KeyProvisioned) -> bytearray:
        """Return the client share that the client opens from the signer's event."""
        assert answer.client_share is not None
        box = bytes.fromhex(answer.client_share[2:])
        return CLIENT.open(box, self.place(answer.version).to_client())

    def sent(
        self, share: bytes | bytearray, agent: str = AGENT, context: bytes | None = None
    ) -> ClientShare:
        """Return a share of version 1, sealed as a client sends it."""
        current = self.boxes.keys.current
        assert current is not None
        box = seal_for(current.public_key, share, context or self.place().to_signer(agent))
        return ClientShare(key_version=1, share_key=current.public_key, box=f"0x{box.hex()}")


@contextmanager
def fund(mode: CustodyMode, configured: tuple[str, ...] = NAMES) -> Iterator[Fund]:
    with clouds() as some:
        made = Fund(mode, some, configured)
        try:
            yield made
        finally:
            made.executor.keychain.close()
