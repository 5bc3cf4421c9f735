"""A producer's side of an intent: from what people write to canonical, signed bytes.

Pure: time, new idempotency keys and the registry's content are inputs.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from schemas.dsse import INTENT_TYPE
from schemas.intent import Intent
from signer.signatures import Ed25519Signer
from sixgate.api import Json
from sixgate.intent_form import IntentForm, IntentWrong, check_key_path
from sixgate.suggestion import did_you_mean

KEY_CHAIN = "ethereum"


@dataclass(frozen=True, slots=True)
class Directory:
    """What names mean in an organisation.

    ``accounts`` maps agents to their account, ``chains`` names and aliases to chain ids, ``names``
    chain ids to names; ``keys`` are the account and path of every provisioned key.
    """

    org: str
    accounts: Mapping[str, str]
    chains: Mapping[str, int]
    names: Mapping[int, str]
    keys: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, registry: Json) -> "Directory":
        """Build it from what ``Api.registry`` answers."""
        chains = registry["chains"]
        names = [(n, c["chain_id"]) for c in chains for n in (c["name"], *c.get("aliases", ()))]
        return cls(
            org=registry["org"],
            accounts={name: agent["account"] for name, agent in registry["agents"].items()},
            chains=dict(names),
            names={chain["chain_id"]: chain["name"] for chain in chains},
            keys=frozenset((key["account"], key["path"]) for key in registry["keys"]),
        )

    def account_of(self, agent: str) -> str:
        """Return an agent's account; raise ``IntentWrong`` for an agent nobody registered."""
        if agent not in self.accounts:
            hint = did_you_mean(agent, self.accounts)
            hint = hint or f": sixgate agents add {agent} registers one"
            raise IntentWrong([("agent", f"no agent {agent} is registered{hint}")])
        return self.accounts[agent]

    def chain_id(self, chain: str | int) -> int:
        """Return the id of a chain by name, alias or id; an unknown id is the gates' to refuse."""
        if isinstance(chain, int):
            return chain
        if chain not in self.chains:
            hint = did_you_mean(chain, self.chains) or ": sixgate chains list has those that are"
            raise IntentWrong([("chain", f"no chain {chain} is registered{hint}")])
        return self.chains[chain]

    def key_path(self, agent: str, account: str, chain_id: int) -> str:
        """Return where an agent's key is: its own where it has one, else the chain's."""
        own = agent_key_path(agent)
        if (account, own) in self.keys:
            return own
        path = chain_key_path(self.names.get(chain_id, KEY_CHAIN))
        try:
            return str(check_key_path(path))
        except ValueError as error:
            raise IntentWrong([("key_path", f"{error}, and the default {path} is none")]) from None


def agent_key_path(agent: str) -> str:
    """Return the path of an agent's own key; EVM chains share one."""
    return f"agents/{agent}/chains/{KEY_CHAIN}/private_key"


def chain_key_path(chain: str) -> str:
    """Return the path of the key that a chain's intents use by default."""
    return f"keys/{chain}-signer"


def key_changes(before: Directory, account: str, path: str) -> Iterator[str]:
    """Say, in sentences, what a new key of an account changes for agents that name no key path."""
    chain_keys = [chain_key_path(chain) for chain in sorted(before.names.values())]
    for agent in sorted(name for name, own in before.accounts.items() if own == account):
        own = agent_key_path(agent)
        others = [other for other in chain_keys if (account, other) in before.keys]
        if path == own and others:
            yield (
                f"{agent} now signs with {own}, another address than {', '.join(others)}: "
                "an intent that names key_path still takes those"
            )
        if path in chain_keys and (account, own) in before.keys:
            yield f"{agent} goes on signing with {own}: an intent takes {path} if it names key_path"


def resolve(
    form: IntentForm, directory: Directory, now_ms: int, new_key: Callable[[], str]
) -> Intent:
    """Return the canonical intent: every name and relative time resolved.

    ``new_key`` mints an idempotency key where none is given. Raises ``IntentWrong``.
    """
    account = directory.account_of(form.agent)
    chain_id = directory.chain_id(form.chain)
    expires_at_ms = form.expires_at_ms
    if expires_at_ms is None:
        expires_at_ms = now_ms + 1000 * form.expires_in_s
    return Intent(
        org=directory.org,
        account=account,
        agent=form.agent,
        chain_id=chain_id,
        to=form.to,
        value_wei=form.amount_wei,
        data=form.data,
        gas_limit=form.gas_limit,
        max_fee_per_gas_wei=form.max_fee_gwei,
        max_priority_fee_per_gas_wei=form.max_priority_fee_gwei,
        nonce=form.nonce,
        simulate_first=form.simulate_first,
        key_path=form.key_path or directory.key_path(form.agent, account, chain_id),
        idempotency_key=form.idempotency_key or new_key(),
        expires_at_ms=expires_at_ms,
    )


def sign(intent: Intent, signer: Ed25519Signer) -> bytes:
    """Return the intent in an envelope signed by its agent's key."""
    return signer.seal(INTENT_TYPE, intent.encode()).encode()
