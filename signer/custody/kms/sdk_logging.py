"""Keeps SDKs from logging what they send and receive.

At DEBUG, botocore logs every body, including plaintext keys, and Google's client attaches bodies to
its log records. Other code may change log levels, but a filter stays.
"""

import logging


def silence(package: str) -> None:
    """Make all existing loggers of a package drop records below WARNING.

    Call it after the SDK is imported: importing a module creates its logger.
    """
    for name in [*logging.Logger.manager.loggerDict, package]:
        if name == package or name.startswith(f"{package}."):
            logging.getLogger(name).addFilter(_no_details)


def _no_details(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
