"""How hard Hypothesis tries: bounded by default, ``HYPOTHESIS_PROFILE=thorough`` for longer."""

import os

from hypothesis import settings

settings.register_profile("ci", deadline=None, max_examples=100, print_blob=True)
settings.register_profile("thorough", deadline=None, max_examples=1_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

pytest_plugins = [
    "tests.support.servers",
    "tests.support.trading",
    "tests.support.scaled_fixtures",
]
