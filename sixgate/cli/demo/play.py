"""Plays the acts through a node and gathers what the audience sees; nothing here is believed.

Senders are recovered from the raw bytes, and each transaction is compared with what its intent
asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from signer.ethereum.decoding import decode_signed, sender
from sixgate.api import Json
from sixgate.cli.demo.script import Act
from sixgate.cli.progress import Bar
from sixgate.cli.session import Session
from sixgate.cli.trail import Way, way_of
from sixgate.clocks import wall_ms
from sixgate.intent_form import SIGNED
from sixgate.intent_lines import ended_as


@dataclass(frozen=True, slots=True)
class Scene:
    """An act, how it ended, and its way where it was an intent.

    ``took_ms`` is what its producer waited from sending to the end.
    """

    act: Act
    result: Json
    repeated: bool
    way: Way | None
    took_ms: int

    @property
    def ending(self) -> str:
        """Return ``signed`` or the code of the reason."""
        return ended_as(self.result)

    @property
    def as_expected(self) -> bool:
        """Tell whether the act ended as its line says."""
        return self.ending == self.act.expect


@dataclass(frozen=True, slots=True)
class Proof:
    """What the raw bytes of a signed transaction say by themselves."""

    scene: Scene
    recovered: str
    genuine: bool


@dataclass(frozen=True, slots=True)
class Show:
    """Everything that happened."""

    registry: Json
    scenes: Sequence[Scene]
    proofs: Sequence[Proof]
    budgets: Sequence[Json]
    verified: Json
    head: Json

    @property
    def as_expected(self) -> bool:
        """Tell whether every act ended as expected and every transaction is genuine."""
        endings = all(scene.as_expected for scene in self.scenes)
        return endings and all(proof.genuine for proof in self.proofs)


def play(here: Session, acts: Sequence[Act], bar: Bar) -> Show:
    """Send all acts, wait for their ends, follow their trails, verify the ledger."""
    scenes = []
    for act, (answer, took_ms) in zip(acts, _answers(here, acts, bar), strict=True):
        scenes.append(_scene(here, act, answer, took_ms))
        bar.show(len(acts) + len(scenes), title="reading the trails")
    signed = [scene for scene in scenes if scene.ending == SIGNED and not scene.repeated]
    bar.show(2 * len(acts), title="verifying the ledger")
    verified = [item["verified"] for item in here.api.verify(head=None) if "verified" in item]
    proofs = [_proof(scene) for scene in signed]
    head = here.api.head()["head"]
    return Show(here.api.registry(), scenes, proofs, here.api.budgets(), verified[-1], head)


def _answers(here: Session, acts: Sequence[Act], bar: Bar) -> list[tuple[Json, int]]:
    """Return the answer to each act, and after how many milliseconds it came."""
    sent_ms = wall_ms()
    answers: dict[int, tuple[Json, int]] = {}
    for answer in here.api.submit([act.record() for act in acts], wait=True):
        if "index" in answer:
            answers[answer["index"]] = answer, wall_ms() - sent_ms
            bar.show(len(answers), 2 * len(acts), "waiting for outcomes")
    return [answers[index] for index in range(len(acts))]


def _scene(here: Session, act: Act, answer: Json, took_ms: int) -> Scene:
    way = way_of(here.api.trail(answer["intent"])) if answer["intent"] else None
    return Scene(act, answer["result"], answer["repeated"], way, took_ms)


def _proof(scene: Scene) -> Proof:
    raw = bytes.fromhex(scene.result["raw_transaction"][2:])
    recovered = f"0x{sender(raw).hex()}"
    tx, _ = decode_signed(raw)
    signed = (tx.chain_id, f"0x{tx.to.hex()}" if tx.to else None, tx.value_wei, tx.data.hex())
    genuine = recovered == scene.result["sender"] and signed == _asked(scene.act)
    return Proof(scene, recovered, genuine)


def _asked(act: Act) -> tuple[object, ...]:
    intent = act.intent
    return (intent.chain_id, intent.to, intent.value_wei, intent.data[2:]) if intent else ()
