"""A file of intents, one JSON object a line: read, checked, resolved and signed; pure.

A line is a form of an intent, or an envelope that was signed elsewhere and goes as it is.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import ValidationError

from schemas.canonical import MalformedError, malformed
from schemas.dsse import Envelope
from schemas.intent import AnyIntent, decode_intent, intent_digest
from schemas.strict_json import JsonError, read_json
from schemas.topics import SUBMITTED_BYTES_MAX
from signer.signatures import Ed25519Signer
from sixgate.api import Json
from sixgate.authoring import producer
from sixgate.authoring.expected_results import SIGNED
from sixgate.authoring.intent_form import AnyForm, IntentFormError, read_form
from sixgate.authoring.producer import Directory

LINE_BYTES_MAX = 1024 * 1024
LINES_MAX = 100_000
PART_COUNT_MAX = 10_000
PART_BYTES_MAX = 16 * 1024 * 1024
DEMO = "demo"
"""A line with this member is for ``sixgate demo``, which plays what the member says."""

Signers: TypeAlias = Callable[[str], Ed25519Signer]


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A line that cannot be sent, and why."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A line whose form is right."""

    line: int
    content: AnyForm | Envelope


@dataclass(frozen=True, slots=True)
class Submission:
    """A signed intent, ready to be sent.

    ``label`` is what its line calls it, ``expect`` how it should end: signed, or with a reason.
    """

    line: int
    intent: AnyIntent
    envelope: bytes
    label: str = ""
    expect: str = SIGNED

    @property
    def digest(self) -> str:
        """Return the intent's name."""
        return intent_digest(self.intent.encode())

    def record(self) -> Json:
        """Return what ``Api.submit`` takes."""
        return {"key": self.intent.account, "value": base64.b64encode(self.envelope).decode()}


def split(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank with their numbers, counted from 1."""
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if line.strip():
            yield number, line


def read(lines: Iterable[tuple[int, bytes]]) -> tuple[list[Draft], list[WrongLine], list[int]]:
    """Check the form of all lines; return the right ones, the wrong ones, and the demo's."""
    drafts: list[Draft] = []
    wrong: list[WrongLine] = []
    demo: list[int] = []
    for number, line in lines:
        try:
            members = _members(line)
            if isinstance(members, dict) and DEMO in members:
                demo.append(number)
            else:
                drafts.append(Draft(number, _content(members)))
        except (JsonError, IntentFormError) as error:
            wrong.append(WrongLine(number, str(error)))
    return drafts, wrong, demo


def finish(
    drafts: Iterable[Draft],
    directory: Directory,
    signers: Signers,
    now_ms: int,
    new_key: Callable[[], str],
) -> tuple[list[Submission], list[WrongLine]]:
    """Resolve and sign drafts; return what can be sent, and the lines that cannot."""
    ready: list[Submission] = []
    wrong: list[WrongLine] = []
    for draft in drafts:
        try:
            ready.append(_finished(draft, directory, signers, now_ms, new_key))
        except IntentFormError as error:
            wrong.append(WrongLine(draft.line, str(error)))
    return ready, wrong


def parts(ready: Iterable[Submission]) -> Iterator[list[Submission]]:
    """Yield submissions in their order, in parts that are small enough to be sent at once."""
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
