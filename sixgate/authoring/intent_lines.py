"""Files of intents, one JSON object per line: parses, checks, resolves and signs them; pure.

A line is a hand-written intent, or an envelope signed elsewhere that is submitted unchanged.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import ValidationError

from schemas.canonical import MalformedError, malformed
from schemas.dsse import Envelope
from schemas.intents.intent import AnyIntent, decode_intent, intent_digest
from schemas.strict_json import JsonError, read_json
from schemas.topics import SUBMITTED_BYTES_MAX
from signer.custody.event_signing import Ed25519Signer
from sixgate.api import Json
from sixgate.authoring import producer
from sixgate.authoring.form_fields import SIGNED
from sixgate.authoring.intent_form import AnyForm, IntentFormError, read_form
from sixgate.authoring.producer import Directory

LINE_BYTES_MAX = 1024 * 1024
LINES_MAX = 100_000
PART_COUNT_MAX = 10_000
PART_BYTES_MAX = 16 * 1024 * 1024
DEMO = "demo"
"""A line with this member is an attack that only ``sixgate demo`` runs."""

Signers: TypeAlias = Callable[[str], Ed25519Signer]


@dataclass(frozen=True, slots=True)
class InvalidLine:
    """An invalid line and the reason."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A line with a valid form."""

    line: int
    content: AnyForm | Envelope


@dataclass(frozen=True, slots=True)
class Submission:
    """A signed intent, ready to submit.

    ``label`` is its line's label, ``expect`` the expected result: ``signed`` or a reason code.
    """

    line: int
    intent: AnyIntent
    envelope: bytes
    label: str = ""
    expect: str = SIGNED

    @property
    def digest(self) -> str:
        """The intent's digest."""
        return intent_digest(self.intent.encode())

    def record(self) -> Json:
        """Return the record for ``Api.submit``."""
        return {"key": self.intent.account, "value": base64.b64encode(self.envelope).decode()}


def split(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the non-blank lines with their numbers, counted from 1."""
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if line.strip():
            yield number, line


def read(lines: Iterable[tuple[int, bytes]]) -> tuple[list[Draft], list[InvalidLine], list[int]]:
    """Parse all lines; return valid drafts, invalid lines, and line numbers for the demo."""
    drafts: list[Draft] = []
    invalid: list[InvalidLine] = []
    demo: list[int] = []
    for number, line in lines:
        try:
            members = _members(line)
            if isinstance(members, dict) and DEMO in members:
                demo.append(number)
            else:
                drafts.append(Draft(number, _content(members)))
        except (JsonError, IntentFormError) as error:
            invalid.append(InvalidLine(number, str(error)))
    return drafts, invalid, demo


def finish(
    drafts: Iterable[Draft],
    directory: Directory,
    signers: Signers,
    now_ms: int,
    new_key: Callable[[], str],
) -> tuple[list[Submission], list[InvalidLine]]:
    """Resolve and sign drafts; return the signed intents and the invalid lines."""
    ready: list[Submission] = []
    invalid: list[InvalidLine] = []
    for draft in drafts:
        try:
            ready.append(_finished(draft, directory, signers, now_ms, new_key))
        except IntentFormError as error:
            invalid.append(InvalidLine(draft.line, str(error)))
    return ready, invalid


def parts(ready: Iterable[Submission]) -> Iterator[list[Submission]]:
    """Split submissions, in order, into parts small enough for one request."""
    part: list[Submission] = []
    size_bytes = 0
    for one in ready:
        full = len(part) == PART_COUNT_MAX or size_bytes + len(one.envelope) > PART_BYTES_MAX
        if part and full:
            yield part
            part, size_bytes = [], 0
        part.append(one)
        size_bytes += len(one.envelope)
    if part:
        yield part


def _members(line: bytes) -> Any:
    if len(line) > LINE_BYTES_MAX:
        raise JsonError(f"is over {LINE_BYTES_MAX} bytes")
    return read_json(line)


def _content(members: Any) -> AnyForm | Envelope:
    if not isinstance(members, dict) or "payloadType" not in members:
        return read_form(members)
    try:
        envelope = Envelope.model_validate_json(json.dumps(members))
        decode_intent(envelope.body())
    except ValidationError as error:
        raise _envelope_wrong(malformed(error)) from None
    except MalformedError as error:
        raise _envelope_wrong(error) from None
    return envelope


def _envelope_wrong(error: MalformedError) -> IntentFormError:
    return IntentFormError([(f"envelope, {error.where}", error.why)])


def _finished(
    draft: Draft, directory: Directory, signers: Signers, now_ms: int, new_key: Callable[[], str]
) -> Submission:
    if isinstance(draft.content, Envelope):
        intent = decode_intent(draft.content.body())
        return Submission(draft.line, intent, _bounded(draft.content.encode()))
    intent = producer.resolve(draft.content, directory, now_ms, new_key)
    envelope = _bounded(producer.sign(intent, signers(intent.agent)))
    label, expect = draft.content.label or "", draft.content.expect
    return Submission(draft.line, intent, envelope, label, expect)


def _bounded(envelope: bytes) -> bytes:
    if len(envelope) > SUBMITTED_BYTES_MAX:
        raise IntentFormError(
            [("data", f"makes the intent larger than {SUBMITTED_BYTES_MAX} bytes")]
        )
    return envelope
