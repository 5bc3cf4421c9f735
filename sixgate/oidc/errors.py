"""Errors of a login."""


class LoginError(Exception):
    """Base class; the message is the end of a sentence for the person who logs in."""


class IdTokenError(LoginError):
    """The ID token is not valid here."""


class ClaimError(LoginError):
    """The ID token is valid, but a claim that the settings require is missing."""


class IssuerUnavailableError(LoginError):
    """The issuer's keys cannot be read now; a retry may succeed after ``retry_after_s``."""

    def __init__(self, why: str, retry_after_s: int) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s
