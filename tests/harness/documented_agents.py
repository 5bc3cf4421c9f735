"""An agent with a key, and the documented client that acts for it."""

from dataclasses import dataclass
from typing import Any

import httpx
from eth_account import Account as EthAccount
from oneclaw import OneclawClient

from tests.harness.api_server import ServedApi, data_of

TO = "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
TYPE_2: dict[str, Any] = {
    "gas_limit": 100_000,
    "max_fee_per_gas": "1000000000",
    "max_priority_fee_per_gas": "1",
}
LEGACY: dict[str, Any] = {"gas_limit": 100_000, "gas_price": "1000000000"}


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent with an Ethereum key, and its clients."""

    id: str
    api_key: str
    client: OneclawClient
    raw: httpx.Client
    address: str

    def submit(self, **members: Any) -> Any:
        """Submit a transfer on Base, with changed members."""
        known = {"chain": "base", "to": TO, "value": "0.001"} | TYPE_2
        return self.client.agents.submit_transaction(self.id, **known | members)

    def sign_only(self, **members: Any) -> Any:
        """Sign a transfer on Base without submitting it, with changed members."""
        known = {"chain": "base", "to": TO, "value": "0.001"} | TYPE_2
        return self.client.agents.sign_transaction(self.id, **known | members)


def new_agent(served: ServedApi, person: OneclawClient, **members: Any) -> Agent:
    """Create an agent with intents and an Ethereum key."""
    made = data_of(person.agents.create("trader", intents_api_enabled=True, **members), 201)
    key = data_of(person.signing_keys.create(made["id"], "ethereum"), 201)
    client, raw = served.client(made["api_key"]), served.raw(made["api_key"])
    return Agent(made["id"], made["api_key"], client, raw, key["address"])


def sender_of(signed_tx: str) -> str:
    """Recover the sender of a signed transaction, with an independent library."""
    return str(EthAccount.recover_transaction(signed_tx))
