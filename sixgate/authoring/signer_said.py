"""What a signer said, of all that lies on ``vault``: proven by whoever acts on it."""

from collections.abc import Collection, Iterable, Iterator, Mapping

import orjson

from schemas.gating import gated, signed_part
from signer.signatures import proves
from sixgate.api import Json


def said_by_signers(
    events: Iterable[Json], account: str, signer_keys: Mapping[str, Collection[str]]
) -> Iterator[Json]:
    """Yield the events of an account that one of its signer's keys signed, as plain data.

    ``events`` are those of ``Api.vault_events``, as the bus has them: it proves nothing.
    """
    for each in events:
        event = _plain(each["event"])
        if event.get("account") == account and _is_proven(event, signer_keys):
            yield event


def _plain(text: str) -> Json:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_proven(event: Json, signer_keys: Mapping[str, Collection[str]]) -> bool:
    keys = signer_keys.get(str(event.get("signer")), ())
    try:
        signature = bytes.fromhex(str(event["signature"])[2:])
        message = signed_part(gated(event))
    except (KeyError, ValueError, TypeError):
        return False
    return any(proves(key, signature, message) for key in keys)
