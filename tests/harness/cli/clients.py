"""What tests ask of an ``Api``, wherever its pipeline runs."""

import base64

from sixgate.api import Api, Json
from tests.harness.pipeline.embedded import ACCOUNT


def record(value: bytes, key: str = ACCOUNT) -> Json:
    return {"key": key, "value": base64.b64encode(value).decode()}


def submit(api: Api, *values: bytes) -> list[Json]:
    """Submit and wait; return the ends in the order of the values."""
    accepted, *ends = api.submit([record(value) for value in values], wait=True)
    assert accepted == {"accepted": len(values)}
    return sorted(ends, key=lambda end: end["index"])


def verified(api: Api, head: Json | None = None) -> Json:
    found: Json = list(api.verify(head=head))[-1]["verified"]
    return found


def results(ends: list[Json]) -> list[str]:
    """Return each end's reason, or that it was signed."""
    return [end["result"].get("reason", "signed") for end in ends]
