"""The demo's attacks: records that no command sends, one for each line with ``demo``.

``replay`` and ``changed`` reuse the intent of the line labelled ``of``; ``expired`` and ``far``
shift the expiry; ``forged`` signs with an unknown key; ``misrouted`` sends the intent under another
account's key; ``malformed`` sends ``bytes`` unchanged.
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.intent import EXPIRY_MS_MAX
from schemas.money import eth_to_wei
from signer.signatures import Ed25519Signer
from sixgate.api import Json
from sixgate.authoring import producer
from sixgate.authoring.intent_form import IntentFormError, read_form
from sixgate.authoring.intent_lines import DEMO, Signers, Submission
from sixgate.authoring.producer import Directory
from sixgate.cli.session import new_idempotency_key
from sixgate.data_folder.key_files import SEED_BYTES

KINDS = ("replay", "changed", "expired", "far", "forged", "misrouted", "malformed")
LATE_MS = {"expired": -60 * 60 * 1000, "far": EXPIRY_MS_MAX}
"""How far from now a line's intent is created."""


@dataclass(frozen=True, slots=True)
class Attacker:
    """Makes attacks; ``earlier`` has the signed intents of other lines by label."""

    earlier: Mapping[str, Submission]
    directory: Directory
    signers: Signers
    now_ms: int

    def record(self, line: Json) -> Json:
        """Make the record of a line for ``Api.submit``; ``IntentFormError`` if it is invalid."""
        key, value = self._record(line[DEMO], line)
        return {"key": key, "value": base64.b64encode(value).decode()}

    def _record(self, kind: str, line: Json) -> tuple[str, bytes]:
        if kind not in KINDS:
            raise IntentFormError([(DEMO, f"must be one of {', '.join(KINDS)}")])
        if kind == "malformed":
            return line["account"], str(line["bytes"]).encode()
        if kind in ("replay", "changed"):
            if line.get("of") not in self.earlier:
                raise IntentFormError([("of", f"no intent has the label {line.get('of')!a}")])
            first = self.earlier[line["of"]]
            if kind == "replay":
                return first.intent.account, first.envelope
            changes = {"value_wei": eth_to_wei(line["value"])}
            intent = first.intent.model_copy(update=changes)
        else:
            form = read_form({key: line[key] for key in line if key not in (DEMO, "account")})
            created_ms = self.now_ms + LATE_MS.get(kind, 0)
            intent = producer.resolve(form, self.directory, created_ms, new_idempotency_key)
        stranger = Ed25519Signer("stranger", secrets.token_bytes(SEED_BYTES))
        signer = stranger if kind == "forged" else self.signers(intent.agent)
        return line.get("account", intent.account), producer.sign(intent, signer)
