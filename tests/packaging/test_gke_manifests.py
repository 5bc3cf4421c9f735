"""The manifests of ``infra/gke``, checked without a cluster."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from schemas.topics import Principal
from sixgate.config.process_settings import Settings, load_settings
from sixgate.releasing.release_holders import refuse_own_kms
from tests.harness.builders.compose import is_setting, parse
from tests.harness.builders.gke import (
    APPLIED,
    GKE,
    MANIFESTS,
    SETTINGS,
    Workload,
    kustomization,
    objects,
    service_port,
    workloads,
)

PROCESSES = {"registrar", "gates", "signer", "ledger", "gateway", "desk", "release-gcp"}
OPERATED = {"release-gcp-keys", "people"}
"""Pods that an operator starts for a moment."""
KUBERNETES = "1.34"  # the oldest version with the device plugin's report, see README.md
PAGE = (GKE / "README.md").read_text()


@pytest.fixture(scope="module")
def pods() -> dict[str, Workload]:
    return workloads()


@pytest.fixture(scope="module")
def settings() -> dict[str, Settings]:
    return {file.stem: load_settings(file) for file in SETTINGS.glob("*.toml")}


def test_every_object_and_field_is_known_to_kubernetes() -> None:
    for found in objects():
        kubernetes_validate.validate(found, KUBERNETES, strict=True)


def test_a_misspelled_field_is_detected() -> None:
    deployment = next(found for found in objects() if found["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    pod["containers"][0]["securityContext"]["readOnlyRootFileSystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, KUBERNETES, strict=True)


def test_every_manifest_is_applied() -> None:
    for folder in APPLIED:
        files = {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml"}
        assert files == set(kustomization(folder)["resources"])
    generated = {
        (made["name"], made["namespace"], *made["files"])
        for made in kustomization(MANIFESTS)["configMapGenerator"]
    }
    assert generated == {
        (name, pod.namespace, f"sixgate.toml=settings/{name}.toml")
        for name, pod in workloads().items()
        if name in PROCESSES
    }
    assert {file.stem for file in SETTINGS.iterdir()} == PROCESSES


def test_one_file_names_the_image_of_all_pods_by_its_digest(pods: dict[str, Workload]) -> None:
    (image,) = kustomization(MANIFESTS / "image")["images"]
    for folder in APPLIED:
        applied = kustomization(folder)
        assert "images" not in applied
        assert [(folder / name).resolve() for name in applied["components"]] == [
            MANIFESTS / "image"
        ]
    assert re.fullmatch("sha256:[0-9a-f]{64}", image["digest"])
    assert {c["image"] for pod in pods.values() for c in pod.containers} == {image["name"]}


def test_every_command_and_probe_exists_and_its_options_parse(
    pods: dict[str, Workload], settings: dict[str, Settings]
) -> None:
    assert set(pods) == PROCESSES | OPERATED
    parse(pods["release-gcp-keys"].main["args"])
    for name in PROCESSES:
        pod = pods[name]
        parse(pod.main["args"])
        port = settings[name].monitor.port
        program, *words = pod.main["livenessProbe"]["exec"]["command"]
        assert program == "sixgate"
        assert parse(words)["url"] == f"http://127.0.0.1:{port}"
        ports = {port["name"]: port["containerPort"] for port in pod.main["ports"]}
        assert ports["monitor"] == port
        assert settings[name].monitor.host == "0.0.0.0"  # noqa: S104 - network policies limit access
        for probe in ("startupProbe", "readinessProbe"):
            assert pod.main[probe]["httpGet"]["port"] == "monitor"


def test_every_variable_is_a_setting_with_a_valid_value(
    pods: dict[str, Workload], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        variable for pod in pods.values() for c in pod.containers for variable in c.get("env", [])
    ]
    assert [variable["name"] for variable in found] == ["SIXGATE_GATES__INSTANCE"]
    assert is_setting("SIXGATE_GATES__INSTANCE")
    monkeypatch.setenv(
        "SIXGATE_GATES__INSTANCE", "gates-1"
    )  # the name of a StatefulSet's second pod
    assert load_settings(SETTINGS / "gates.toml").gates.instance == "gates-1"


def test_settings_are_those_of_production(settings: dict[str, Settings]) -> None:
    for loaded in settings.values():
        assert loaded.kafka.tls is not None
        assert (loaded.kafka.insecure_dev, loaded.kms.insecure_dev) == (False, False)
        assert (loaded.kafka.copies, loaded.kafka.in_sync) == (3, 2)
        assert loaded.signer.head_required
        assert loaded.signer.ledger_required
        assert loaded.gates.head_required
        assert loaded.gateway.head_required
        assert loaded.desk.head_required
    assert [name for name, loaded in settings.items() if loaded.kms != Settings().kms] == [
        "release-gcp"
    ]
    release, releases = settings["release-gcp"].release_section(), settings["signer"].releases
    assert (release.insecure_dev, release.tls is not None) == (False, True)
    assert releases is not None
    # Keys without an owner: the operator must name the admins.
    assert {*release.admins, *releases.admins} == {"0x" + "00" * 32}


def test_every_file_named_in_settings_is_mounted_in_the_pod(
    pods: dict[str, Workload], settings: dict[str, Settings]
) -> None:
    for name, loaded in settings.items():
        pod, named = pods[name], set(_paths(loaded.model_dump(exclude={"data"})))
        assert bool(pod.mounts.get("/data/trust.json")) == (name not in {"ledger", "release-gcp"})
        for path in named:
            assert any(path.is_relative_to(place) for place in pod.mounts), (name, path)
        private = {path for path in named if path.is_relative_to("/data/keys")}
        assert private <= {Path(path) for path in pod.staged}
        secrets = {path.name for path in named if path.is_relative_to("/secrets")}
        secrets |= {Path(path).name for path in pod.staged}
        assert _documented_secrets(name) == secrets, name


def test_every_process_gets_its_own_keys_only(pods: dict[str, Workload]) -> None:
    keys = {name: {Path(path).name for path in pod.staged} for name, pod in pods.items()}
    assert {name: found for name, found in keys.items() if found} == {
        "registrar": {"registrar-0.pem"},
        "gates": {"simulator-0.pem"},
        "signer": {"signer.sealed", "clickhouse.password"},
        "ledger": {"ledger-0.pem", "clickhouse.password"},
        "gateway": {"gateway-0.pem", "clickhouse.password"},
        "desk": {"desk-0.pem"},
    }
    for name, pod in pods.items():
        secrets = [v["secret"]["secretName"] for v in pod.pod["volumes"] if "secret" in v]
        assert set(secrets) <= {name}


def test_every_pod_has_least_privilege(pods: dict[str, Workload]) -> None:
    for pod in pods.values():
        assert pod.pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.pod)
        assert not [volume for volume in pod.pod["volumes"] if "hostPath" in volume]
        for container in pod.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"] == container["resources"]["limits"]
            assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"]["limits"])
    namespaces = [found for found in objects() if found["kind"] == "Namespace"]
    for found in namespaces:
        assert found["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {found["metadata"]["name"] for found in namespaces} == {
        pod.namespace for pod in pods.values()
    }


def test_only_the_signer_has_the_device_and_one_token_per_release(
    pods: dict[str, Workload], settings: dict[str, Settings]
) -> None:
    device = "amd.com/sev-snp"
    assert [n for n, pod in pods.items() if device in pod.main["resources"]["limits"]] == ["signer"]
    tokens = {
        name: [
            source["serviceAccountToken"]
            for volume in pod.pod["volumes"]
            for source in volume.get("projected", {}).get("sources", [])
        ]
        for name, pod in pods.items()
    }
    (token,) = tokens.pop("signer")
    assert not any(tokens.values())
    assert token["audience"] == settings["release-gcp"].release_section().audience
    assert token["expirationSeconds"] <= 600


def test_the_signer_asks_the_release_that_runs_with_the_token_for_it_and_no_kms(
    pods: dict[str, Workload], settings: dict[str, Settings]
) -> None:
    loaded, released = settings["signer"], settings["release-gcp"].release_section()
    assert loaded.attestation is not None
    assert (loaded.attestation.platform, loaded.attestation.insecure_dev) == ("sev-guest", False)
    assert loaded.releases is not None
    refuse_own_kms(loaded.kms)
    assert (loaded.releases.org, loaded.releases.insecure_dev) == (released.org, False)
    ((provider, address),) = loaded.releases.at.items()
    assert provider == released.provider
    host, port = service_port("release-gcp", "sixgate-release-gcp")
    assert (address.url, port) == (f"https://{host}:{released.port}", released.port)
    (source,) = pods["signer"].mounts["/var/run/sixgate"]["projected"]["sources"]
    assert address.token == Path("/var/run/sixgate") / source["serviceAccountToken"]["path"]


def test_the_gateway_is_served_with_tls_and_asks_the_desk_that_runs(
    settings: dict[str, Settings],
) -> None:
    loaded, desk = settings["gateway"], settings["desk"].desk
    assert (loaded.api.insecure_dev, loaded.api.tls is not None) == (False, True)
    _, port = service_port("gateway", "sixgate")
    assert (loaded.api.host, loaded.api.port) == ("0.0.0.0", port)  # noqa: S104 - see above
    assert (desk.insecure_dev, desk.tls is not None) == (False, True)
    assert desk.clients == (Principal.GATEWAY,)
    assert loaded.desk_at is not None
    host, port = service_port("desk", "sixgate")
    assert (loaded.desk_at.url, desk.port) == (f"https://{host}:{port}", port)
    # Custody does not run on this cluster.
    assert not [name for name, found in settings.items() if found.custody_at]


def test_the_files_of_the_gateway_belong_to_one_pod_at_a_time() -> None:
    claims = {
        found["metadata"]["name"]: found["spec"]["accessModes"]
        for found in objects()
        if found["kind"] == "PersistentVolumeClaim"
    }
    assert claims["gateway"] == ["ReadWriteOncePod"]


def test_state_of_a_process_outlives_its_pod(pods: dict[str, Workload]) -> None:
    kept = {
        name: place
        for name, pod in pods.items()
        for place, volume in pod.mounts.items()
        if "persistentVolumeClaim" in volume
    }
    assert kept == {
        "signer": "/data",  # the newest release policy that it accepted
        "ledger": "/heads",
        "release-gcp": "/data",
        "release-gcp-keys": "/data",
        "gateway": "/data",
        "people": "/data",  # the gateway's, see README.md
    }


def test_a_disruption_takes_one_pod_at_a_time() -> None:
    budgets = {
        f["metadata"]["name"]: f["spec"] for f in objects() if f["kind"] == "PodDisruptionBudget"
    }
    assert set(budgets) == PROCESSES
    for name, spec in budgets.items():
        assert spec == {"maxUnavailable": 1, "selector": {"matchLabels": {"app": name}}}


def test_processes_that_sign_or_keep_heads_run_once_at_a_time() -> None:
    found = {f["metadata"]["name"]: f["spec"] for f in objects() if f["kind"] == "Deployment"}
    for spec in found.values():
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def _paths(value: Any) -> list[Path]:
    if isinstance(value, dict):
        return [path for each in value.values() for path in _paths(each)]
    return [value] if isinstance(value, Path) else []


def _documented_secrets(name: str) -> set[str]:
    found = re.search(rf"^\| `{name}` \| ((?:`[\w.-]+`,? ?)+)\|$", PAGE, re.MULTILINE)
    assert found, name
    return set(re.findall(r"`([\w.-]+)`", found[1]))
