"""What holds for every test.

Hypothesis tries a bounded number of examples, ``HYPOTHESIS_PROFILE=thorough`` ten times as many.
In CI they are the same ones until a test changes: a commit is not to fail for what another one did.
"""

import os

from hypothesis import settings

# A child that is forked would end by gRPC's own threads, started again, before it runs its program.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

settings.register_profile("usual", deadline=None, max_examples=100, print_blob=True)
settings.register_profile("thorough", settings.get_profile("usual"), max_examples=1_000)
settings.register_profile("ci", settings.get_profile("usual"), derandomize=True)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "usual")
)

pytest_plugins = [
    "tests.support.servers",
    "tests.support.trading",
    "tests.support.scaled_fixtures",
]
