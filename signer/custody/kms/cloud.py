"""Base class of the cloud adapters: implements the promises of the port in one place."""

import logging
from abc import ABC, abstractmethod

from signer.custody.kms.calls import Calls
from signer.custody.kms.port import KeyStatus, require_wrappable, require_wrapped


class CloudKms(ABC):
    """A ``ProviderKms`` that calls its SDK through ``Calls``; subclasses make the requests."""

    __slots__ = ("_calls",)

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    @property
    def key_id(self) -> str:
        """The provider, and the key's name as configured."""
        return self._calls.key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        """Wrap as ``RootKms`` promises."""
        require_wrappable(plaintext)
        return self._calls.run(lambda: self._wrap(plaintext, context))

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Unwrap as ``RootKms`` promises."""
        self._require_wrapped(wrapped)
        return self._calls.run(lambda: self._unwrap(wrapped, context))

    def check(self) -> KeyStatus:
        """Return the key's state and protection level as ``ProviderKms`` promises."""
        return self._calls.run(self._status)

    def _require_wrapped(self, wrapped: bytes) -> None:
        require_wrapped(wrapped)

    @abstractmethod
    def _wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes: ...

    @abstractmethod
    def _unwrap(self, wrapped: bytes, context: bytes) -> bytearray: ...

    @abstractmethod
    def _status(self) -> KeyStatus: ...

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key_id}>"


def silence(package: str) -> None:
    """Make all existing loggers of a package drop records below WARNING.

    Call it after the SDK is imported: importing a module creates its logger.
    """
    for name in [*logging.Logger.manager.loggerDict, package]:
        if name == package or name.startswith(f"{package}."):
            logging.getLogger(name).addFilter(_no_details)


def _no_details(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
