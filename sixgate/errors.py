"""Error for settings that cannot be used."""


class SettingsError(Exception):
    """A setting is missing, unknown or out of bounds. The message is a sentence that names it."""
