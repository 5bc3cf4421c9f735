"""What is said of settings that cannot be used."""


class SettingsError(Exception):
    """A setting is missing, unknown or out of its bounds; one sentence that names it."""
