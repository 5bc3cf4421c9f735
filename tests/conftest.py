"""Settings for every test: Hypothesis profiles, and a marker per folder.

Hypothesis tries a bounded number of examples, ``HYPOTHESIS_PROFILE=thorough`` ten times as many.
In CI the examples are the same until a test changes: a commit fails for its own change only.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent

# gRPC's fork handlers start its threads again in a forked child, which then aborts.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

settings.register_profile("usual", deadline=None, max_examples=100, print_blob=True)
settings.register_profile("thorough", settings.get_profile("usual"), max_examples=1_000)
settings.register_profile("ci", settings.get_profile("usual"), derandomize=True)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "usual")
)

pytest_plugins = [
    "tests.harness.broker.servers",
    "tests.harness.pipeline.trading",
    "tests.harness.pipeline.scaled_fixtures",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the name of its top folder, which says what the test costs."""
    for item in items:
        item.add_marker(item.path.relative_to(ROOT).parts[0])
