"""Paths of secrets in URLs: the rest of the path, percent-decoded exactly once.

``%2F`` and ``/`` are the same. Empty segments, ``.``, ``..``, backslashes, control characters and
whatever is still encoded after one decoding are refused by the pattern of secret paths.
"""

from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Path, Request
from pydantic import TypeAdapter, ValidationError

from schemas.fields import SecretPath
from sixgate.api.problems import invalid, not_found

_PATH: TypeAdapter[str] = TypeAdapter(SecretPath)
_FIXED_SEGMENTS = 5
"""The segments of ``/v1/vaults/{vault_id}/secrets/`` before the path, with the empty first one."""


async def secret_path(
    request: Request,
    vault_id: str,
    path: Annotated[str, Path(description="The secret's path, such as `production/db/password`.")],
) -> str:
    """Return the path in a URL; raise a problem if it is malformed.

    An encoded slash in the vault's id must not move the border between id and path.
    """
    raw: bytes = request.scope.get("raw_path") or b""
    sent = raw.split(b"?", 1)[0].decode("latin-1").split("/", _FIXED_SEGMENTS)
    if raw and (len(sent) <= _FIXED_SEGMENTS or unquote(sent[3]) != vault_id):
        raise not_found("vault", vault_id)
    try:
        return _PATH.validate_python(path)
    except ValidationError:
        raise invalid(
            {
                "path": "must be 1 to 8 segments of letters, digits, dots, underscores and "
                "hyphens, none of which begins with a dot or a hyphen"
            }
        ) from None


SecretPathOf = Annotated[str, Depends(secret_path)]
