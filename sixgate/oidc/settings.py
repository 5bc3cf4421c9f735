"""Settings of the login of people: ``[api.oidc]``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from sixgate.config.section import Section

Claim: TypeAlias = Literal["sub", "email"]
_Text: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,512}$")]


def https_url(text: str) -> str:
    """Return an HTTPS URL of a host without user, query and fragment; raise ``ValueError``."""
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be an https:// URL without a user name")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError("must have no query and no fragment")
    return text


class OidcSettings(Section):
    """Issuer of ID tokens, and which tokens it must issue for a login.

    ``client_id`` is the only accepted audience. ``required_claims`` maps claims to a value that
    each must be or, if it is a list, contain. ``leeway_s`` is how far the issuer's clock may be
    ahead; it extends no token. ``ca`` is a PEM file [default: the system's authorities].
    """

    issuer: Annotated[_Text, AfterValidator(https_url)]
    client_id: _Text
    authorized_parties: tuple[_Text, ...] = ()
    algorithms: Annotated[tuple[Literal["RS256", "ES256"], ...], Field(min_length=1)] = (
        "RS256",
        "ES256",
    )
    claim: Claim = "sub"
    required_claims: Mapping[str, str] = Field(default_factory=dict)
    age_s_max: Annotated[int, Field(ge=60, le=86_400)] = 600
    leeway_s: Annotated[int, Field(ge=0, le=120)] = 30
    ca: Path | None = None
