"""The registry of a small organisation, as ``Api.registry`` returns it."""

from signer.custody.event_signing import Ed25519Signer
from sixgate.api import Json
from sixgate.authoring.producer import Directory

ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
NOW_MS = 1_790_000_000_000


def registry() -> Json:
    return {
        "org": "acme",
        "agents": {
            "payroll": {"account": "treasury"},
            "trader": {"account": "trading"},
        },
        "chains": [
            {"chain_id": 1, "name": "ethereum", "aliases": ["eth"], "symbol": "ETH"},
            {"chain_id": 8453, "name": "base", "symbol": "ETH"},
        ],
        "keys": [{"account": "treasury", "path": "agents/payroll/chains/ethereum/private_key"}],
    }


def directory() -> Directory:
    return Directory.of(registry())


def signers(agent: str) -> Ed25519Signer:
    return Ed25519Signer(agent, agent.encode().ljust(32, b"."))
