"""What the demo plays: the lines of ``examples/intents.jsonl`` as records for the bus; pure.

A line without ``demo`` is an intent like anybody's. One with it says what is done to an intent on
its way: ``replay`` and ``changed`` take the earlier line labelled ``of``; ``expired`` and ``far``
shift its time; ``forged`` signs with a key nobody knows; ``misrouted`` puts it in the place of the
account it names; ``malformed`` sends ``bytes`` as they are.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from schemas.dsse import INTENT_TYPE
from schemas.intent import EXPIRY_MS_MAX, AnyIntent, intent_digest
from schemas.money import eth_to_wei
from schemas.strict_json import read_json
from signer.signatures import Ed25519Signer
from sixgate.api import Json
from sixgate.authoring import producer
from sixgate.authoring.intent_form import IntentFormError, read_form
from sixgate.authoring.intent_lines import DEMO, Signers
from sixgate.authoring.producer import Directory

PLAIN = "plain"
HOUR_MS = 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Act:
    """One record to be sent; ``intent`` is None for what is none, ``kind`` the line's ``demo``."""

    label: str
    kind: str
    expect: str
    account: str
    value: bytes
    intent: AnyIntent | None = None

    @property
    def digest(self) -> str:
        """Return the name of the act's intent."""
        return intent_digest(self.intent.encode()) if self.intent else ""

    def record(self) -> Json:
        """Return what ``Api.submit`` takes."""
        return {"key": self.account, "value": base64.b64encode(self.value).decode()}


@dataclass(slots=True)
class Stage:
    """What acts are made with, and those that were made before."""

    directory: Directory
    signers: Signers
    stranger: Ed25519Signer
    now_ms: int
    new_key: Callable[[], str]
    acts: dict[str, Act] = field(default_factory=dict)

    def plain(self, members: Json, late_ms: int = 0) -> Act:
        """Make an act of an intent as it is, written ``late_ms`` from now."""
        form = read_form(members)
        intent = producer.resolve(form, self.directory, self.now_ms + late_ms, self.new_key)
        return self.signed(intent, form.label or "", form.expect)

    def signed(self, intent: AnyIntent, label: str, expect: str) -> Act:
        """Make an act of an intent that its agent signs."""
        value = producer.sign(intent, self.signers(intent.agent))
        return Act(label, PLAIN, expect, intent.account, value, intent)

    def earlier(self, members: Json) -> Act:
        """Return the act of the line that ``of`` names."""
        name = members.get("of")
        if name not in self.acts:
            raise IntentFormError([("of", f"no earlier line has the label {name!a}")])
        return self.acts[name]


def acts_of(lines: Iterable[tuple[int, bytes]], stage: Stage) -> list[Act]:
    """Make all acts, in order.

    Raise ``IntentFormError`` or ``JsonError`` for a line that is none.
    """
    made = []
    for _, line in lines:
        members: Json = read_json(line)
        kind = members.pop(DEMO, PLAIN)
        if kind not in _PLAYERS:
            raise IntentFormError([(DEMO, f"must be one of {', '.join(_PLAYERS)}")])
        act = replace(_PLAYERS[kind](stage, members), kind=kind)
        stage.acts[act.label] = act
        made.append(act)
    return made


def _replay(stage: Stage, members: Json) -> Act:
    return replace(stage.earlier(members), label=members["label"], expect=members["expect"])


def _changed(stage: Stage, members: Json) -> Act:
    first = stage.earlier(members).intent
    if first is None:
        raise IntentFormError([("of", "names a line that is no intent")])
    changed = first.model_copy(update={"value_wei": eth_to_wei(members["value"])})
    return stage.signed(changed, members["label"], members["expect"])


def _expired(stage: Stage, members: Json) -> Act:
    return stage.plain(members, -HOUR_MS)


def _far(stage: Stage, members: Json) -> Act:
    return stage.plain(members, EXPIRY_MS_MAX)


def _forged(stage: Stage, members: Json) -> Act:
    act = stage.plain(members)
    body = act.intent.encode() if act.intent else b""
    return replace(act, value=stage.stranger.seal(INTENT_TYPE, body).encode())


def _misrouted(stage: Stage, members: Json) -> Act:
    account = members.pop("account")
    return replace(stage.plain(members), account=account)


def _malformed(_stage: Stage, members: Json) -> Act:
    raw = str(members["bytes"]).encode()
    return Act(members["label"], "", members["expect"], members["account"], raw)


Player: TypeAlias = Callable[[Stage, Any], Act]
_PLAYERS: Mapping[str, Player] = {
    PLAIN: Stage.plain,
    "replay": _replay,
    "changed": _changed,
    "expired": _expired,
    "far": _far,
    "forged": _forged,
    "misrouted": _misrouted,
    "malformed": _malformed,
}
