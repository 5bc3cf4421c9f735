"""The network policies of ``infra/gke``: they allow what README.md lists, and nothing else."""

import re

from schemas.topics import PROCESSES as PRINCIPALS
from schemas.topics import Principal
from tests.harness.builders.gke import GKE, Flow, flows, objects, workloads

ROW = re.compile(
    r"^\| `([\w/.-]+)` \| ([^|]*)`([\w/.-]+)` \| ((?:TCP|UDP) [^|]+) \|$", re.MULTILINE
)
PAGE = (GKE / "README.md").read_text()
OUTSIDE = {"monitoring", "agents"}
"""Namespaces of the operator."""


def test_every_namespace_denies_traffic_by_default() -> None:
    policies = [found for found in objects() if found["kind"] == "NetworkPolicy"]
    denied = {
        found["metadata"]["namespace"]
        for found in policies
        if found["metadata"]["name"] == "deny-by-default"
        and found["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    }
    assert denied == {pod.namespace for pod in workloads().values()}
    for found in policies:  # a rule without its type would not count
        listed = {kind.lower() for kind in found["spec"]["policyTypes"]}
        assert {"egress", "ingress"} & set(found["spec"]) <= listed
        for rule in [*found["spec"].get("egress", []), *found["spec"].get("ingress", [])]:
            assert rule["ports"]
            assert rule.get("to") or rule.get("from")


def test_the_network_policies_allow_exactly_the_documented_flows() -> None:
    out, into = flows()
    documented = {
        (source, target, port.strip())
        for source, _, target, ports in ROW.findall(PAGE)
        for port in _each_port(ports)
    }
    assert documented == {tuple(flow) for flow in out} | {
        tuple(flow) for flow in into if flow.source in OUTSIDE
    }


def test_a_connection_between_pods_is_allowed_on_both_sides_or_neither() -> None:
    out, into = flows()
    names = {name: f"{pod.namespace}/{name}" for name, pod in workloads().items()}
    assert {(names[f.source], f.target, f.port) for f in out if not f.target[0].isdigit()} == {
        (f.source, names[f.target], f.port) for f in into if f.source not in OUTSIDE
    }


def test_only_the_gateway_reaches_the_desk_and_only_agents_reach_the_gateway() -> None:
    _, into = flows()
    serving = {flow for flow in into if flow.source != "monitoring"}
    assert {flow for flow in serving if flow.target in {"desk", "gateway"}} == {
        Flow("sixgate/gateway", "desk", "TCP 9460"),
        Flow("agents", "gateway", "TCP 8600"),
    }


def test_every_process_reaches_kafka_and_only_three_reach_clickhouse() -> None:
    spoken = {(flow.source.removesuffix("-gcp"), flow.port) for flow in flows()[0]}
    # Custody needs its own KMSs; on this cluster releases hold all keys, so it does not run.
    assert {who for who, port in spoken if port == "TCP 9093"} == PRINCIPALS - {Principal.CUSTODY}
    assert {who for who, port in spoken if port == "TCP 8443"} == {"signer", "ledger", "gateway"}


def _each_port(ports: str) -> list[str]:
    return [f"{kind} {n}" for kind, n in re.findall(r"(TCP|UDP) (\d+)", ports)]
