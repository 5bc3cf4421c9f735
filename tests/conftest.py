"""What holds for every test.

Hypothesis tries a bounded number of examples, ``HYPOTHESIS_PROFILE=thorough`` ten times as many.
"""

import os

from hypothesis import settings

# A child that is forked would end by gRPC's own threads, started again, before it runs its program.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

settings.register_profile("ci", deadline=None, max_examples=100, print_blob=True)
settings.register_profile("thorough", deadline=None, max_examples=1_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

pytest_plugins = [
    "tests.support.servers",
    "tests.support.trading",
    "tests.support.scaled_fixtures",
]
