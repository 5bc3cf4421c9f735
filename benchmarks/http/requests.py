"""Requests of the clients, as bytes that a connection sends."""

from collections.abc import Mapping

from benchmarks.http.node import HttpNode

UNKNOWN = "0x" + "77" * 32


def request(path: str, headers: Mapping[str, str]) -> str:
    """Return a GET request."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""])


def mixed_reads(
    node: HttpNode, agent: Mapping[str, str], person: Mapping[str, str]
) -> list[tuple[str, str, int]]:
    """Return one round of reads for each of the first hundred transactions."""
    listed = f"/v1/agents/{node.agent}/transactions"
    rounds = []
    for reply in node.transactions[:100]:
        one, by_hash = f"{listed}/{reply['id']}", f"{listed}/{reply['tx_hash']}"
        rounds += [
            ("transaction", request(one, agent), 200),
            ("transactions", request(f"{listed}?limit=20", agent), 200),
            ("transaction by hash", request(by_hash, agent), 200),
            ("agent itself", request("/v1/agents/me", agent), 200),
            ("transaction", request(one, person), 200),
            ("signed transaction", request(f"{one}?include_signed_tx=true", agent), 200),
            ("agents", request("/v1/agents", person), 200),
            ("transaction", request(one, agent), 200),
            ("chains", request("/v1/chains", agent), 200),
            ("unknown transaction", request(f"{listed}/{UNKNOWN}", agent), 404),
        ]
    return rounds
