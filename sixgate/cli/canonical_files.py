"""Files that people write or pass on: strict JSON of a known shape, bounded."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from schemas.canonical import Canonical, malformed
from schemas.strict_json import JsonError, read_json
from sixgate.cli.session import usage
from sixgate.validation_messages import validation_message

FIELDS = "docs/attestation.md has the fields"
FILE_BYTES_MAX = 1024 * 1024
Value = TypeVar("Value", bound=Canonical)


def read_canonical(file: Path, model: type[Value], advice: str = FIELDS) -> Value:
    """Return what a file says, in whatever spelling of JSON; end the command if it is none.

    ``advice`` says where its fields are told.
    """
    with file.open("rb") as opened:  # whatever it is, it may have no end
        raw = opened.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        usage(f"{file} has more than {FILE_BYTES_MAX} bytes")
    try:
        return model.model_validate_json(json.dumps(read_json(raw)))
    except JsonError as error:
        usage(f"{file} {error}; {advice}")
    except ValidationError as error:
        why = validation_message(error.errors(include_input=False)[0])
        usage(f"{file}: {malformed(error).where} {why}; {advice}")
