"""Settings for every test: Hypothesis profiles, and a marker per folder.

``tests/harness/sizes.py`` bounds the number of examples. In CI the examples are the same until a
test changes, so a commit fails for its own change only; a soak draws new ones.
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.harness.sizes import EXAMPLES, SOAK

ROOT = Path(__file__).parent

# A shell starts background jobs with SIGINT ignored, which every process of a test would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

# gRPC's fork handlers start its threads again in a forked child, which then aborts.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

settings.register_profile("usual", deadline=None, max_examples=EXAMPLES, print_blob=True)
settings.register_profile("ci", settings.get_profile("usual"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") and not SOAK else "usual")

pytest_plugins = [
    "tests.harness.broker.servers",
    "tests.harness.broker.shared",
    "tests.harness.pipeline.embedded_fixtures",
    "tests.harness.pipeline.scaled_fixtures",
    "tests.harness.pipeline.release_fixtures",
]


@pytest.fixture
def usual_recursion_limit() -> Iterator[None]:
    """Set Python's limit: pytest's plugins raise it so far that deep JSON overflows the C stack."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(limit)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the name of its top folder, which says what the test costs.

    A soak has no time limit; the limit catches tests that hang in ``make test``.
    """
    for item in items:
        item.add_marker(item.path.relative_to(ROOT).parts[0])
        if SOAK:
            item.add_marker(pytest.mark.timeout(0))
