"""Plays the acts through a node and gathers what the audience sees; nothing here is believed.

Senders are recovered from the signatures, and what was signed is compared with what its intent
asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sixgate.api import Json
from sixgate.authoring.expected_results import SIGNED, ended_as
from sixgate.cli.demo.script import Act
from sixgate.cli.demo.signature_checks import as_asked, recovered
from sixgate.cli.intents.trail import Way, way_of
from sixgate.cli.progress import Bar
from sixgate.cli.session import Session
from sixgate.clocks import wall_ms


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
    """What a signature says by itself."""

    scene: Scene
    recovered: str
    genuine: bool

    @property
    def of_transaction(self) -> bool:
        """Tell whether it is a transaction's, not a message's."""
        return "transaction_hash" in self.scene.result


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
        """Tell whether every act ended as expected and every signature is genuine."""
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
    found, intent = recovered(scene.result), scene.act.intent
    genuine = intent is not None and as_asked(intent, scene.result)
    return Proof(scene, found, genuine and found == scene.result["sender"])
