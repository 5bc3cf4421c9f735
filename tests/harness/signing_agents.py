"""An agent of a running API that has a key and sends requests to sign."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

from eth_account import Account as EthAccount
from httpx2 import Response

from schemas.registry.policy import Policy
from schemas.registry.records import AgentSet, Entry, PolicySet
from sixgate.authoring.operator import register
from sixgate.clocks import wall_ms
from sixgate.gateway.idempotency import hashed_key
from tests.harness.api import Api
from tests.harness.judge.promises import in_folder

TO = "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
FEES: dict[str, Any] = {
    "gas_limit": 100_000,
    "max_fee_per_gas": "1000000000",
    "max_priority_fee_per_gas": "1",
}
TRANSFER: dict[str, Any] = {"chain": "base", "to": TO, "value": "0.001"} | FEES
_KEYS = itertools.count()


def new_key() -> str:
    """Return an idempotency key that no other test uses."""
    return f"key-{next(_KEYS)}"


@dataclass(frozen=True, slots=True)
class SigningAgent:
    """An agent, the headers that authenticate it, and the address of its key."""

    api: Api
    id: str
    headers: dict[str, str]
    address: str

    def post(self, path: str, body: Any, **headers: str) -> Response:
        """Send a request to one of the agent's routes."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= self.headers | {"Content-Type": "application/json"}
        url = f"/v1/agents/{self.id}{path}"
        # The client's own encoder refuses text that is not valid Unicode.
        reply: Response = self.api.client.post(url, content=json.dumps(body), headers=sent)
        return reply

    def submit(self, key: str | None = None, **changes: Any) -> Response:
        """Submit a transfer, with changed members."""
        headers = {"Idempotency_Key": key} if key is not None else {}
        return self.post("/transactions", TRANSFER | changes, **headers)

    def sign(self, **body: Any) -> Response:
        """Send a unified sign request."""
        return self.post("/sign", body)

    def limit(self, **fields: Any) -> None:
        """Replace the agent's policy, as a full admin."""
        self.registers(PolicySet(policy_id=self.id, policy=Policy(**fields)))

    def registers(self, *entries: Entry) -> None:
        """Append records as a full admin."""
        register(self.api.node, self.api.folder.admin(), list(entries), wall_ms())

    def outcomes_of(self, key: str) -> list[bytes]:
        """Return the outcomes of the intents with an idempotency key, from the log alone."""
        hashed, named = hashed_key(key).encode(), f'"{self.id}"'.encode()
        outcomes = in_folder(self.api.folder.path)("outcomes")
        return [body for body in outcomes if hashed in body and named in body]

    @property
    def registered(self) -> AgentSet:
        """The agent's registry record."""
        return self.api.services.backend.read.registered.agents[self.id]


def signing_agent(api: Api, *, key: bool = True, **members: Any) -> SigningAgent:
    """Create an agent, and its Ethereum key unless ``key`` is false."""
    agent_id, headers = api.new_agent(**members)
    address = ""
    if key:
        url = f"/v1/agents/{agent_id}/signing-keys"
        reply = api.client.post(url, json={"chain": "ethereum"}, headers=api.person)
        assert reply.status_code == 201, reply.text
        address = reply.json()["address"]
    return SigningAgent(api, agent_id, headers, address)


def refusal(reply: Response) -> tuple[int, str]:
    """Return status and code of a problem, which must be one in the documented form."""
    body = reply.json()
    assert reply.headers["content-type"] == "application/problem+json", reply.text
    assert body["status"] == reply.status_code
    assert isinstance(body["detail"], str)
    return reply.status_code, body["code"]


def sender_of(signed_tx: str) -> str:
    """Recover the sender of a signed transaction, with an independent library."""
    return str(EthAccount.recover_transaction(signed_tx))
