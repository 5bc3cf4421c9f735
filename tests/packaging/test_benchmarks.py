"""The Kafka benchmark and the load on the HTTP API run in small; timings are not tested."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.broker.servers import fetched

SOAK = ("--idle", "300", "--slow", "3", "--per-s", "50", "--seconds", "4", "--transactions", "20")
GROUPS = ["end to end", "saturation", "CPU per intent", "CPU per hop", "sink", "restart"]
RUN_S_MAX = 400


@pytest.mark.timeout(RUN_S_MAX)
def test_every_part_of_the_kafka_benchmark_runs(tmp_path: Path) -> None:
    fetched()
    command = [sys.executable, "-m", "benchmarks.kafka", "--quick", "--docs", str(tmp_path)]
    env = os.environ | {"ETH_HASH_BACKEND": "pysha3"}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-4_000:]
    measured = json.loads((tmp_path / "benchmarks.json").read_bytes())["make bench-kafka"]
    assert list(dict.fromkeys(one["group"] for one in measured["figures"])) == GROUPS
    assert all(one["value"] >= 0 for one in measured["figures"] if "runner" not in one["what"])


@pytest.mark.timeout(RUN_S_MAX)
def test_load_on_the_http_api_is_answered_without_an_error() -> None:
    command = [sys.executable, "-m", "benchmarks.http.soak", *SOAK]
    env = os.environ | {"ETH_HASH_BACKEND": "pysha3"}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert "{" in ended.stdout, ended.stderr
    # The exit code also depends on the rate that was reached.
    found = json.loads(ended.stdout[ended.stdout.index("{") : ended.stdout.rindex("}") + 1])
    assert found["reads"] > 0
    assert (found["errors"], found["idle_answered"]) == ({}, [300, 300])
