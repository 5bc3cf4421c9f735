"""Records of calls of the HTTP API: who did what to what, from where, when."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.canonical import Canonical
from schemas.fields import Digest, Ed25519Signature, KeyId, Name, Text, TimeMs

ApiAction = Annotated[str, Field(pattern=r"^[a-z_]+(?:\.[a-z_]+){1,2}$", max_length=64)]


class ApiCall(Canonical):
    """A call that changed something or was refused, signed by the gateway that served it.

    ``actor`` is ``user:<id>`` or ``agent:<id>``. ``resource`` names what was changed, such as
    ``agent:<id>``. Holds no secret value.
    """

    v: Literal[1] = 1
    type: Literal["api.call"] = "api.call"
    id: Digest
    org: Name
    gateway: Name
    actor: KeyId
    action: ApiAction
    resource: Annotated[str, Field(max_length=512)]
    client_address: Annotated[str, Field(max_length=64)]
    at_ms: TimeMs
    detail: Text = ""
    signature: Ed25519Signature | None = None
