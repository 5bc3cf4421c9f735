"""``docker-compose.yml`` and what it mounts, checked without a Docker engine."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from prometheus_client import CollectorRegistry

from sixgate.config.process_settings import Settings
from sixgate.data_folder.folder import DESK, GATEWAY, Folder
from sixgate.data_folder.key_files import ensure_public_key
from sixgate.services.monitor import Monitor
from tests.harness.broker.containers import CLICKHOUSE_IMAGE, KAFKA_IMAGE
from tests.harness.builders.compose import (
    IMAGE,
    ROOT,
    Service,
    copied_into_the_image,
    is_setting,
    parse,
    services,
    variables_in,
)
from tests.harness.pipeline.embedded import make_folder

ONE_SHOTS = {"topics", "migrate", "publish"}
PROCESSES = {"registrar", "gates", "signer", "custody", "ledger", "gateway", "desk"}
WRONG = click.UsageError
METRIC = re.compile(r"\bsixgate_\w+")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout after the documented preparation."""
    place = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "infra", place / "infra", ignore=shutil.ignore_patterns("__pycache__"))
    folder = make_folder(place / "sixgate-data", [])
    for name in (GATEWAY, DESK):  # as `sixgate people add` does
        ensure_public_key(folder.key(name), name)
    folder.gateway_files.mkdir()
    subprocess.run([place / "infra" / "compose_env.sh"], check=True)
    return place


@pytest.fixture(scope="module")
def all_services(place: Path) -> dict[str, Service]:
    return services(variables_in(place / ".env"))


@pytest.fixture(scope="module")
def ours(all_services: dict[str, Service]) -> list[Service]:
    found = [service for service in all_services.values() if service.ours]
    assert {service.name for service in found} == ONE_SHOTS | PROCESSES
    return found


def test_passwords_are_generated_once_and_readable_by_their_owner_only(place: Path) -> None:
    env = place / ".env"
    before = env.read_bytes()
    again = subprocess.run([place / "infra" / "compose_env.sh"], capture_output=True, check=False)
    assert (again.returncode, env.read_bytes()) == (1, before)
    assert env.stat().st_mode & 0o777 == 0o600
    drawn = [value for name, value in variables_in(env).items() if name.endswith("PASSWORD")]
    assert len(set(drawn)) == 4
    assert all(len(value) >= 32 for value in drawn)


def test_every_image_has_the_version_that_the_tests_use(all_services: dict[str, Service]) -> None:
    images = {name: service.plain["image"] for name, service in all_services.items()}
    assert all(IMAGE.fullmatch(image) for image in images.values()), images
    assert (images["kafka"], images["clickhouse"]) == (KAFKA_IMAGE, CLICKHOUSE_IMAGE)
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("FROM ")] == [
        "FROM ${PYTHON} AS layer",
        "FROM ${PYTHON}",
    ]
    (base,) = [line for line in lines if line.startswith("ARG ")]
    assert re.fullmatch(r"ARG PYTHON=python:3\.1[12]\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", base)


def test_the_image_copies_existing_files_and_no_others() -> None:
    """A data folder next to the Dockerfile has keys, so the image must not include it."""
    copied = copied_into_the_image()
    assert all((ROOT / path).exists() for path in copied)
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    assert "*" in rules
    assert {Path(path).parts[0] for path in copied} == allowed


def test_every_command_and_health_check_exists_and_its_options_parse(
    ours: list[Service],
) -> None:
    for service in ours:
        parse(service.command)
        if service.name in PROCESSES:
            program, *words = service.health
            assert program == "sixgate"
            assert parse(words)["url"] == f"http://127.0.0.1:{monitor_port(service)}"


def test_a_wrong_option_is_detected() -> None:
    for words in (["gates", "--slots", "0"], ["ledger", "runn"], ["probe", "--stalled-s", "x"]):
        with pytest.raises(WRONG):
            parse(words)


def test_every_variable_is_a_setting_with_a_valid_value(
    ours: list[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in ours:
        for name, value in service.environment.items():
            assert name == "SIXGATE_DATA" or is_setting(name), name
            monkeypatch.setenv(name, value)
        settings = Settings()
        if "SIXGATE_DATA" in service.environment:
            assert settings.data == Path("/data")
        for name in service.environment:
            monkeypatch.delenv(name)


def test_every_mounted_file_exists_after_the_preparation(
    place: Path, all_services: dict[str, Service]
) -> None:
    for service in all_services.values():
        for source, _ in service.mounts:
            assert (place / source).exists(), source


def test_every_process_sees_its_own_keys_only(
    place: Path, all_services: dict[str, Service]
) -> None:
    folder = Folder(place / "sixgate-data")
    keys = {
        name: {Path(source).name for source, _ in all_services[name].mounts if "/keys/" in source}
        for name in all_services
    }
    sealing = {folder.root_key.name, folder.holder_keys.name}
    wanted = {
        "registrar": {"registrar-0.pem"},
        "gates": {"simulator-0.pem"},
        "signer": sealing | {folder.signer_identity.name},
        "custody": sealing,
        "ledger": {"ledger-0.pem"},
        "gateway": {"gateway-0.pem"},
        "desk": {"desk-0.pem"},
    }
    assert {name: found for name, found in keys.items() if found} == wanted
    whole = {
        name: service.hidden
        for name, service in all_services.items()
        for source, _ in service.mounts
        if Path(source) == Path("sixgate-data")
    }
    assert whole == {"publish": ["/data/keys"]}


def test_every_service_waits_for_a_condition_that_can_become_true(
    all_services: dict[str, Service],
) -> None:
    for service in all_services.values():
        for name, rule in service.plain.get("depends_on", {}).items():
            other = all_services[name]
            if rule["condition"] == "service_healthy":
                assert other.health
            else:
                assert rule["condition"] == "service_completed_successfully"
                assert "restart" not in other.plain


def test_no_port_is_open_beyond_this_machine(all_services: dict[str, Service]) -> None:
    for name, service in all_services.items():
        assert all(port.startswith("127.0.0.1:") for port in service.plain.get("ports", []))
        assert name == "network" or service.plain["network_mode"] == "service:network"


def test_prometheus_scrapes_the_ports_of_the_processes(
    all_services: dict[str, Service],
) -> None:
    (job,) = loaded("prometheus/prometheus.yml")["scrape_configs"]
    found = {config["labels"]["service"]: config["targets"] for config in job["static_configs"]}
    wanted = {name: [f"127.0.0.1:{monitor_port(all_services[name])}"] for name in PROCESSES}
    assert found == wanted


def test_alerts_and_panels_use_existing_metrics() -> None:
    assert {"sixgate_stalled_seconds", "sixgate_decisions_total"} < shown()
    asked = set(METRIC.findall(" ".join([*alerts(), *panels()])))
    assert len(asked) >= 5
    assert asked <= shown()


def test_every_alert_and_metric_is_on_the_operators_page() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    rules = loaded("prometheus/alerts.yml")["groups"][0]["rules"]
    for name in [rule["alert"] for rule in rules] + sorted(families()):
        assert f"`{name}`" in page, name


def test_the_dashboard_uses_the_provisioned_data_source() -> None:
    (source,) = loaded("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    dashboard = json.loads((ROOT / "infra/grafana/dashboards/sixgate.json").read_bytes())
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}
    (provider,) = loaded("grafana/provisioning/dashboards/sixgate.yml")["providers"]
    grafana = services(dict.fromkeys(_needed(), "x"))["grafana"]
    assert provider["options"]["path"] in [target for _, target in grafana.mounts]


def monitor_port(service: Service) -> str:
    return service.environment["SIXGATE_MONITOR__PORT"]


def loaded(file: str) -> Any:
    return yaml.safe_load((ROOT / "infra" / file).read_text())


def alerts() -> Iterator[str]:
    for group in loaded("prometheus/alerts.yml")["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def panels() -> Iterator[str]:
    for file in (ROOT / "infra" / "grafana" / "dashboards").glob("*.json"):
        for panel in json.loads(file.read_bytes())["panels"]:
            yield from (target["expr"] for target in panel["targets"])


def families() -> set[str]:
    registry: CollectorRegistry = Monitor("a process", lambda: ()).registry
    return {family.name for family in registry.collect()}


def shown() -> set[str]:
    """Return the names of all metrics that any process exports."""
    ends = ("", "_total", "_bucket", "_count", "_sum")
    return {family + end for family in families() for end in ends}


def _needed() -> list[str]:
    return re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text())
