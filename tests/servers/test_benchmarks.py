"""The benchmark on Kafka runs every part of itself on real servers; how fast is nobody's test."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measure import Figure
from benchmarks.page import keep
from tests.harness.broker.servers import fetched

GROUPS = ["end to end", "saturation", "CPU per intent", "CPU per hop", "sink", "restart"]
RUN_S_MAX = 400


def figure(what: str, group: str = "group") -> Figure:
    return Figure(group, what, 1.0, "ms", "peer", 2.0, "none", holds=True)


def test_one_command_keeps_what_the_other_measured(tmp_path: Path) -> None:
    keep("make a", [figure("first")], "notes of a", tmp_path)
    keep("make b", [figure("second")], "notes of b", tmp_path)
    keep("make a", [figure("third")], "notes of a", tmp_path)
    page = (tmp_path / "benchmarks.md").read_text()
    assert page.index("## `make a`") < page.index("third") < page.index("## `make b`")
    assert "second" in page
    assert "first" not in page


def test_a_part_that_is_measured_again_replaces_its_groups_alone(tmp_path: Path) -> None:
    keep("make a", [figure("first", "a"), figure("second", "b")], "notes", tmp_path)
    keep("make a", [figure("third", "a")], "notes", tmp_path, whole=False)
    page = (tmp_path / "benchmarks.md").read_text()
    assert page.index("third") < page.index("second")
    assert "first" not in page


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
