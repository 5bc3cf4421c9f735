"""Registry entries from what operators type; a wrong field ends the command."""

import json
from typing import Any, TypeVar

from pydantic import ValidationError

from schemas.canonical import Canonical, malformed
from sixgate.cli.session import usage

EntryT = TypeVar("EntryT", bound=Canonical)


def entry(kind: type[EntryT], **fields: Any) -> EntryT:
    """Build an entry of plain JSON values; a None is absent."""
    known = {name: value for name, value in fields.items() if value is not None}
    try:
        return kind.model_validate_json(json.dumps(known))
    except ValidationError as error:
        wrong = malformed(error)
        usage(f"{wrong.where} {fields.get(wrong.where)!a}: {wrong.why}")
