"""Whatever an agent sends to the routes that sign gets a documented answer."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sixgate.api.models.submissions import UNSUPPORTED, SignRequest
from tests.harness.api import Api
from tests.harness.signing_agents import TO, TRANSFER, SigningAgent, signing_agent

DOCUMENTED = {200, 201, 400, 403, 409, 422, 503}
MEMBERS = sorted({*SignRequest.model_fields, *UNSUPPORTED, "agent", "\u212a"})
WORDS = ["", "0", "1", "0x", "0x00", "0xff" * 20, TO, "base", "ethereum", "keys/x", "utf8", "hex"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.integers(-(2**300), 2**300)
    | st.floats(allow_nan=True)
    | st.sampled_from(WORDS)
    | st.text(st.characters(), max_size=8)
)
ENTRIES = st.dictionaries(
    st.sampled_from(["address", "storage_keys", "storageKeys", "chain_id", "r", "s", "types"]),
    SCALARS | st.lists(SCALARS, max_size=2),
    max_size=3,
)
VALUES = SCALARS | ENTRIES | st.lists(SCALARS | ENTRIES, max_size=3)
CHANGES = st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=3)
BASES: list[tuple[str, dict[str, Any]]] = [
    ("/transactions", TRANSFER),
    ("/transactions/sign", TRANSFER),
    ("/sign", TRANSFER | {"intent_type": "transaction"}),
    ("/sign", {"intent_type": "personal_sign", "chain": "base", "message": "hi"}),
    ("/sign", {"intent_type": "typed_data", "chain": "base", "typed_data": {"types": {}}}),
]


@pytest.fixture(scope="module")
def agent(api: Api) -> SigningAgent:
    agent = signing_agent(api)
    agent.limit(message_signing_enabled=True, eip712_default_policy="allow")
    return agent


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(base=st.sampled_from(BASES), changes=CHANGES, share=st.none() | st.text("Aa= "))
def test_a_changed_request_gets_a_documented_answer(
    agent: SigningAgent, base: tuple[str, dict[str, Any]], changes: dict[str, Any],
    share: str | None,
) -> None:  # fmt: skip
    path, body = base
    headers = {} if share is None else {"X_Client_Share": share}
    reply = agent.post(path, body | changes, **headers)
    assert reply.status_code in DOCUMENTED, reply.text
    if reply.status_code >= 400:
        problem = reply.json()
        assert problem["code"] != "internal"
        assert isinstance(problem["detail"], str)
