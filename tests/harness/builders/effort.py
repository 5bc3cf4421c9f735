"""How many examples a property gets, as a share of the profile's."""

from hypothesis import settings


def effort(share: float) -> settings:
    """Return settings for an expensive property (below 1) or one with much to find (above)."""
    assert settings.default is not None
    return settings(max_examples=max(1, int(settings.default.max_examples * share)))
