"""``infra/gke`` as data: manifests, settings, network flows and Terraform blocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import hcl2
import yaml

from tests.harness.builders.compose import ROOT

Json: TypeAlias = dict[str, Any]
GKE = ROOT / "infra" / "gke"
MANIFESTS, TERRAFORM = GKE / "manifests", GKE / "terraform"
SETTINGS = MANIFESTS / "settings"
APPLIED = (MANIFESTS, MANIFESTS / "once", MANIFESTS / "people")
"""The folders that operators apply, each with a kustomization."""


class Flow(NamedTuple):
    """An allowed connection: source and target are pods by ``app``, namespaces or addresses."""

    source: str
    target: str
    port: str


@dataclass(frozen=True)
class Workload:
    """A pod of a manifest."""

    name: str
    namespace: str
    pod: Json

    @property
    def containers(self) -> list[Json]:
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]

    @property
    def main(self) -> Json:
        (container,) = self.pod["containers"]
        assert isinstance(container, dict)
        return container

    @property
    def mounts(self) -> dict[str, Json]:
        """Return the volumes of the main container by mount path."""
        volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        return {m["mountPath"]: volumes[m["name"]] for m in self.main["volumeMounts"]}

    @property
    def staged(self) -> set[str]:
        """Return the files that an init container copies for it."""
        commands = [container["command"] for container in self.pod.get("initContainers", [])]
        return {
            f"/data/keys/{Path(word).name}"
            for command in commands
            for word in command
            if word.startswith("/secrets/")
        }


def kustomization(folder: Path) -> Json:
    found: Json = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return found


def objects() -> list[Json]:
    """Return every object of every manifest."""
    files = [folder / name for folder in APPLIED for name in kustomization(folder)["resources"]]
    return [found for file in files for found in yaml.safe_load_all(file.read_text())]


def workloads() -> dict[str, Workload]:
    return {
        found["metadata"]["name"]: Workload(
            found["metadata"]["name"],
            found["metadata"]["namespace"],
            found["spec"] if found["kind"] == "Pod" else found["spec"]["template"]["spec"],
        )
        for found in objects()
        if found["kind"] in {"Deployment", "StatefulSet", "Job", "Pod"}
    }


def service_port(name: str, namespace: str) -> tuple[str, int]:
    """Return the host name and the only port of a Service, which selects the pods of its name."""
    (spec,) = [
        found["spec"]
        for found in objects()
        if (found["kind"], found["metadata"]) == ("Service", {"name": name, "namespace": namespace})
    ]
    assert spec["selector"] == {"app": name}
    (port,) = spec["ports"]
    return f"{name}.{namespace}.svc.cluster.local", port["port"]


def flows() -> tuple[set[Flow], set[Flow]]:
    """Return the egress and the ingress that the network policies allow."""
    policies = [found for found in objects() if found["kind"] == "NetworkPolicy"]
    out = {flow for policy in policies for flow in _flows(policy, "egress", "to")}
    into = {flow for policy in policies for flow in _flows(policy, "ingress", "from")}
    return out, into


def _flows(policy: Json, direction: str, side: str) -> Iterator[Flow]:
    own = policy["spec"]["podSelector"].get("matchLabels", {}).get("app")
    namespace = policy["metadata"]["namespace"]
    who = [own] if own else [w.name for w in workloads().values() if w.namespace == namespace]
    for rule in policy["spec"].get(direction, []):
        for peer in rule[side]:
            for port in rule["ports"]:
                for pod in who:
                    source, target = (pod, _told(peer)) if side == "to" else (_told(peer), pod)
                    yield Flow(source, target, f"{port['protocol']} {port['port']}")


def _told(peer: Json) -> str:
    if "ipBlock" in peer:
        assert set(peer["ipBlock"]) == {"cidr"}
        return str(peer["ipBlock"]["cidr"])
    namespace = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    pod = peer.get("podSelector", {}).get("matchLabels", {}).get("app")
    return f"{namespace}/{pod}" if pod else str(namespace)


def blocks(kind: str, of_type: str) -> dict[str, Json]:
    """Return Terraform's blocks ``kind "of_type" "name"`` by their names."""
    found: dict[str, Json] = {}
    for block in _terraform(kind):
        found |= block.get(of_type, {})
    return found


def types(kind: str) -> set[str]:
    """Return the types of all of Terraform's blocks of a kind."""
    return {of_type for block in _terraform(kind) for of_type in block}


def _terraform(kind: str) -> list[Json]:
    texts = [file.read_text() for file in sorted(TERRAFORM.glob("*.tf"))]
    return [block for text in texts for block in _plain(hcl2.loads(text)).get(kind, [])]


def _plain(value: Any) -> Any:
    """Remove the quotes and marks that the parser adds."""
    if isinstance(value, dict):
        return {key.strip('"'): _plain(v) for key, v in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.strip('"') if isinstance(value, str) else value
