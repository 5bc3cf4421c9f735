"""What is said of settings that cannot be used."""


class SettingsWrong(Exception):  # noqa: N818 - named for what was found
    """A setting is missing, unknown or out of its bounds; one sentence that names it."""
