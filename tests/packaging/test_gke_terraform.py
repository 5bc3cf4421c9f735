"""The Terraform files of ``infra/gke``, parsed but not run: rules for keys and nodes."""

import re
import shutil
import subprocess
from typing import NamedTuple

import pytest

from sixgate.config.process_settings import load_settings
from tests.harness.builders.gke import SETTINGS, TERRAFORM, blocks, types, workloads

KEYS = "google_kms_crypto_key"
WORKLOADS = "${local.workloads}/ns/sixgate-release-${each.key}/sa/release-${each.key}"


def test_every_node_is_confidential_with_attestation_reports() -> None:
    (pool,) = blocks("resource", "google_container_node_pool").values()
    (node,) = pool["node_config"]
    assert node["confidential_nodes"] == [
        {"enabled": True, "confidential_instance_type": "SEV_SNP"}
    ]
    assert node["shielded_instance_config"] == [
        {"enable_secure_boot": True, "enable_integrity_monitoring": True}
    ]
    assert node["min_cpu_platform"] == "AMD Milan"
    assert node["workload_metadata_config"] == [{"mode": "GKE_METADATA"}]
    assert pool["network_config"] == [{"enable_private_nodes": True}]
    assert _pools()
    assert all(one.machine_type.startswith("n2d-") for one in _pools().values())


def test_every_pod_fits_a_pool_with_its_label_and_taint() -> None:
    for name, pod in workloads().items():
        pool = pod.pod["nodeSelector"]["sixgate.io/pool"]
        tolerated = [t["value"] for t in pod.pod.get("tolerations", [])]
        assert tolerated == ([pool] if _pools()[pool].tainted else []), name
        kind = "cloud.google.com/gke-confidential-nodes-instance-type"
        assert pod.pod["nodeSelector"][kind] == "SEV_SNP"
    sharing = [
        w.name for w in workloads().values() if w.pod["nodeSelector"]["sixgate.io/pool"] == "signer"
    ]
    assert sharing == ["signer"]


def test_the_control_plane_and_nodes_are_private_and_only_attested_images_run() -> None:
    (cluster,) = blocks("resource", "google_container_cluster").values()
    (private,) = cluster["private_cluster_config"]
    assert private == {"enable_private_nodes": True, "enable_private_endpoint": True}
    assert cluster["binary_authorization"] == [
        {"evaluation_mode": "PROJECT_SINGLETON_POLICY_ENFORCE"}
    ]
    assert cluster["datapath_provider"] == "ADVANCED_DATAPATH"
    (policy,) = blocks("resource", "google_binary_authorization_policy").values()
    (rule,) = policy["default_admission_rule"]
    assert rule["evaluation_mode"] == "REQUIRE_ATTESTATION"
    assert rule["enforcement_mode"] == "ENFORCED_BLOCK_AND_AUDIT_LOG"
    assert policy["admission_whitelist_patterns"] == [
        {"name_pattern": "${var.device_plugin_image}"}
    ]


def test_an_hsm_guards_every_key_and_no_key_is_destroyed_by_a_plan() -> None:
    keys = blocks("resource", KEYS)
    assert set(keys) == {"root", "cluster_secrets", "image_signing"}
    for key in keys.values():
        assert [each["protection_level"] for each in key["version_template"]] == ["HSM"]
        assert key["lifecycle"] == [{"prevent_destroy": True}]
        assert key["destroy_scheduled_duration"] == "2592000s"
    for ring in blocks("resource", "google_kms_key_ring").values():
        assert ring["project"] == "${var.keys_project}"


def test_each_root_key_is_used_by_its_release_only_and_never_by_the_signer() -> None:
    granting = {
        name for name in types("resource") if name.startswith("google_kms") and "iam" in name
    }
    assert granting == {"google_kms_crypto_key_iam_policy"}  # the whole policy, nothing beside it
    policies = blocks("resource", "google_kms_crypto_key_iam_policy")
    assert set(policies) == set(blocks("resource", KEYS))
    granted = {
        name: [(b["role"], b["members"]) for b in policy["binding"]]
        for name, policy in blocks("data", "google_iam_policy").items()
    }
    assert granted["root"] == [("${google_project_iam_custom_role.release.id}", [WORKLOADS])]
    assert len(granted["cluster_secrets"]) == len(granted["image_signing"]) == 1
    (member,) = granted["cluster_secrets"][0][1]
    assert "container-engine-robot" in member
    (role,) = blocks("resource", "google_project_iam_custom_role").values()
    assert role["permissions"] == [
        "cloudkms.cryptoKeyVersions.useToDecrypt",
        "cloudkms.cryptoKeyVersions.useToEncrypt",
        "cloudkms.cryptoKeys.get",
    ]
    members = {m for bindings in granted.values() for _, named in bindings for m in named}
    assert not [member for member in members if "sa/signer" in member]


def test_projects_grant_only_what_nodes_need() -> None:
    members = blocks("resource", "google_project_iam_member")
    assert {(one["role"], one["member"]) for one in members.values()} == {
        ("roles/container.defaultNodeServiceAccount", "${google_service_account.nodes.member}")
    }
    assert not {"google_project_iam_binding", "google_project_iam_policy"} & types("resource")
    assert not {name for name in types("resource") if name.startswith("google_service_account_")}


def test_the_workload_identity_with_a_root_key_belongs_to_a_running_workload() -> None:
    release = workloads()["release-gcp"]
    ends = f"/ns/{release.namespace}/sa/{release.pod['serviceAccountName']}"
    assert WORKLOADS.replace("${each.key}", "gcp").endswith(ends)
    key = load_settings(SETTINGS / "release-gcp.toml").kms.gcp
    assert key is not None
    (ring,) = [
        one for one in blocks("resource", "google_kms_key_ring").values() if "for_each" in one
    ]
    assert f"/keyRings/{ring['name'].replace('${each.key}', 'gcp')}/cryptoKeys/root" in key.key


def test_nodes_reach_only_googles_restricted_addresses() -> None:
    (network,) = blocks("resource", "google_compute_network").values()
    assert network["delete_default_routes_on_create"] is True
    (route,) = blocks("resource", "google_compute_route").values()
    assert route["dest_range"] == "${local.restricted_cidr}"
    assert not {name for name in types("resource") if "router" in name or "external" in name}
    assert '"199.36.153.4/30"' in (TERRAFORM / "network.tf").read_text()


def test_every_reference_is_declared() -> None:
    text = "\n".join(file.read_text() for file in TERRAFORM.glob("*.tf"))
    text = re.sub(r"#.*$", "", text, flags=re.MULTILINE)
    for kind, path in (("resource", r"(?<!data\.)"), ("data", r"data\.")):
        found = set(re.findall(rf"{path}\b(google_\w+)\.(\w+)", text))
        declared = {(of, name) for of in types(kind) for name in blocks(kind, of)}
        assert found
        assert found <= declared, found - declared
    variables = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    assert set(re.findall(r"\bvar\.(\w+)", text)) == variables
    inside = re.findall(r"^locals \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    declared_locals = {n for body in inside for n in re.findall(r"^  (\w+) +=", body, re.MULTILINE)}
    assert set(re.findall(r"\blocal\.(\w+)", text)) == declared_locals


@pytest.mark.skipif(not shutil.which("terraform"), reason="there is no terraform here")
def test_terraform_parses_the_files_and_finds_them_formatted() -> None:
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-diff", TERRAFORM],  # noqa: S607 - wherever it is
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


class Pool(NamedTuple):
    """A node pool: its machine type, and whether a taint keeps other pods away."""

    machine_type: str
    tainted: bool


def _pools() -> dict[str, Pool]:
    line = r"^    (\w+) += \{ machine_type = \"([\w-]+)\".* tainted = (true|false) \}$"
    found = re.findall(line, (TERRAFORM / "nodes.tf").read_text(), re.MULTILINE)
    return {name: Pool(kind, tainted == "true") for name, kind, tainted in found}
