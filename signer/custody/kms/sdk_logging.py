"""Keeps SDKs from logging what they send and receive.

At DEBUG botocore logs every body, plaintext keys included, and Google's client attaches it to its
records. Levels are anybody's to change, filters are not.
"""

import logging


def silence(package: str) -> None:
    """Let a package's loggers, as far as they exist, pass nothing below WARNING.

    Call it when the SDK is loaded: a logger exists from the import of its module on.
    """
    for name in [*logging.Logger.manager.loggerDict, package]:
        if name == package or name.startswith(f"{package}."):
            logging.getLogger(name).addFilter(_no_details)


def _no_details(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
