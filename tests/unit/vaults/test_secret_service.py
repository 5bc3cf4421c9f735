"""Secret service: attacks by name on reads, with real vaults and holders."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.intents.intent_parts import ClientShare
from schemas.keys.client_share import ClientShareContext
from schemas.keys.secret_requests import (
    SecretAnswer,
    SecretVersion,
    answer_context,
    secret_request_digest,
)
from schemas.registry.access import Grant
from schemas.registry.custody import CustodyMode
from signer.custody.errors import CorruptError, CustodyError
from signer.custody.hpke import HpkeKey, seal_for
from signer.keys.access import Allowed, Refused
from signer.secrets.read_requests import FRESH_MS, ReadRequestError, VerifiedRequest
from signer.secrets.secret_service import ReadDecision, SecretService
from tests.harness.builders.cases import (
    ACCOUNT,
    AGENT,
    KEY_PATH,
    MALLORY,
    NOW_MS,
    ORG,
    key,
)
from tests.harness.builders.custody_providers import MODES, WITH_CLIENT
from tests.harness.builders.secret_vaults import (
    ALL,
    READER,
    VALUE,
    order,
    put,
    received,
    request,
    secret_service,
)

READ_OPERATIONS = ("get", "export", "history")


def judged(service: SecretService, raw: bytes) -> tuple[VerifiedRequest, ReadDecision]:
    asked = service.verify(raw, NOW_MS)
    return asked, service.authorize(asked, NOW_MS)


def read_secrets(service: SecretService, raw: bytes) -> tuple[SecretVersion, ...]:
    asked, found = judged(service, raw)
    assert isinstance(found.access, Allowed), found.access
    served = service.serve(asked, found)
    answer = SecretAnswer.decode(bytes(READER.open(served.box, answer_context(asked.name))))
    assert answer.request == asked.name == secret_request_digest(asked.request.encode())
    return answer.secrets


def reason(service: SecretService, raw: bytes) -> str | None:
    access = judged(service, raw)[1].access
    return access.reason if isinstance(access, Refused) else None


def share_for(service: SecretService, share: bytearray | None, **changes: Any) -> ClientShare:
    assert share is not None
    place = ClientShareContext(org=ORG, account=ACCOUNT, vault="main", path="prod/db", version=1)
    key = f"0x{service.reading_key.public_key.hex()}"
    box = seal_for(key, share, place.to_signer(changes.pop("agent", AGENT)))
    terms: dict[str, Any] = {"key_version": 1, "share_key": key, "box": f"0x{box.hex()}"}
    return ClientShare(**(terms | changes))


@pytest.mark.parametrize("mode", MODES)
def test_a_granted_agent_reads_in_every_mode(mode: CustodyMode) -> None:
    with secret_service(mode, ALL) as service:
        stored = put(service.secret_sealing, order(mode))
        share = share_for(service, received(stored)) if stored.client_share else None
        (secret,) = read_secrets(service, request(client_share=share))
        assert secret.value == f"0x{VALUE.hex()}"
        (listed,) = read_secrets(service, request("list"))
        assert (listed.path, listed.version, listed.value) == ("prod/db", 1, None)


def test_versions_are_listed_in_order_and_read_by_number() -> None:
    with secret_service("envelope", ALL) as service:
        for number in (1, 2):
            put(service.secret_sealing, order("envelope", number), VALUE + bytes((number,)))
        assert [each.version for each in read_secrets(service, request("history"))] == [1, 2]
        assert all(
            each.value is None
            for each in read_secrets(service, request("history", nonce="0x" + "02" * 16))
        )
        for number, version in ((2, None), (1, 1), (2, 2)):
            raw = request(version=version, nonce=f"0x{number:032x}", operation="export")
            (one,) = read_secrets(service, raw)
            assert one.value == f"0x{VALUE.hex()}{number:02x}"
        assert judged(service, request(version=3))[1].missing


def test_a_long_history_returns_its_newest_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signer.secrets.secret_service.LISTED_MAX", 2)
    with secret_service("envelope", ALL) as service:
        for number in (1, 2, 3):
            put(service.secret_sealing, order("envelope", number))
        assert [each.version for each in read_secrets(service, request("history"))] == [2, 3]


@pytest.mark.parametrize("operation", READ_OPERATIONS)
def test_nothing_is_granted_by_default_and_a_missing_path_looks_the_same(
    operation: str,
) -> None:
    with secret_service() as service:
        put(service.secret_sealing, order("envelope"))
        assert reason(service, request(operation)) == "not_granted"
        assert reason(service, request(operation, path="prod/none")) == "not_granted"
        assert reason(service, request(operation, vault="none")) == "not_granted"
        assert read_secrets(service, request("list")) == ()


@pytest.mark.parametrize("operation", READ_OPERATIONS)
def test_a_deny_wins_over_every_grant(operation: str) -> None:
    deny = Grant(effect="deny", vault="main", paths="prod/*", rights=("read",))
    with secret_service("envelope", ALL, deny) as service:
        put(service.secret_sealing, order("envelope"))
        assert reason(service, request(operation)) == "access_denied"


@pytest.mark.parametrize("kind", ["private_key", "ssh_key"])
@pytest.mark.parametrize("operation", READ_OPERATIONS)
def test_an_agent_that_submits_intents_reads_no_private_key_on_any_way(
    operation: str, kind: str
) -> None:
    with secret_service("envelope", ALL) as service:
        put(service.secret_sealing, order("envelope", kind=kind))
        assert reason(service, request(operation)) == "key_read_blocked"
        assert [each.value for each in read_secrets(service, request("list"))] == [None]


@pytest.mark.parametrize("kind", ["private_key", "ssh_key"])
@pytest.mark.parametrize("operation", READ_OPERATIONS)
def test_a_generated_key_is_never_read_and_a_stored_one_only_without_intents(
    operation: str, kind: str
) -> None:
    with secret_service("envelope", ALL, intents=False) as service:
        put(service.secret_sealing, order("envelope", kind=kind, box=None))
        assert reason(service, request(operation)) == "key_generated"
        put(service.secret_sealing, order("envelope", kind=kind, path="prod/mine"))
        assert read_secrets(service, request(operation, path="prod/mine"))


@pytest.mark.parametrize("operation", READ_OPERATIONS)
@pytest.mark.parametrize("intents", [True, False])
def test_a_signing_key_is_never_served(operation: str, intents: bool) -> None:  # noqa: FBT001
    with secret_service("envelope", ALL, intents=intents) as service:
        found = reason(service, request(operation, vault="__agent-keys", path="keys/base-signer"))
        assert found == ("key_read_blocked" if intents else "key_generated")
        assert read_secrets(service, request("list", vault="__agent-keys")) == ()


@pytest.mark.parametrize("operation", READ_OPERATIONS)
def test_an_imported_signing_key_is_never_served(operation: str) -> None:
    with secret_service("envelope", ALL, intents=False) as service:
        service.keys.by_path[ACCOUNT, KEY_PATH] = replace(key(), imported=True)
        assert (
            reason(service, request(operation, vault="__agent-keys", path=KEY_PATH)) == "key_signs"
        )


@pytest.mark.parametrize("kind", ["private_key", "ssh_key"])
def test_no_copy_of_a_signing_key_from_before_is_read_in_any_vault(kind: str) -> None:
    """Earlier versions kept the value of an imported key as a secret at the key's path."""
    with secret_service("envelope", ALL, intents=False) as service:
        put(service.secret_sealing, order("envelope", kind=kind, path=KEY_PATH))
        assert read_secrets(service, request("get", path=KEY_PATH, requested_at_ms=NOW_MS - 1))
        service.keys.by_path[ACCOUNT, KEY_PATH] = replace(key(), imported=True)
        assert reason(service, request("get", path=KEY_PATH)) == "key_signs"
        assert reason(service, request("export", path=KEY_PATH)) == "key_signs"
        assert [one.value for one in read_secrets(service, request("history", path=KEY_PATH))] == [
            None
        ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"active": False}, "agent_inactive"),
        ({"expires_at_ms": NOW_MS}, "agent_expired"),
    ],
)
@pytest.mark.parametrize("operation", [*READ_OPERATIONS, "list"])
def test_a_revoked_agent_gets_nothing(operation: str, changes: dict[str, Any], why: str) -> None:
    with secret_service("envelope", ALL, **changes) as service:
        assert reason(service, request(operation)) == why


def test_another_accounts_vault_is_shut() -> None:
    with secret_service("envelope", ALL) as service:
        assert reason(service, request("list", account="other")) == "vault_foreign"
        assert reason(service, request("get", account="other")) == "vault_foreign"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (request(by=MALLORY), "not signed"),
        (request(agent="mallory"), "mallory"),
        (request(org="other"), "other .*agent alice"),
        (request(requested_at_ms=NOW_MS - FRESH_MS - 1), "minute"),
        (request(requested_at_ms=NOW_MS + FRESH_MS + 1), "minute"),
        (request(path=None), "path"),
        (request("list", path="prod/db"), "path"),
        (b"{}", "malformed"),
        (request()[:-2], "malformed"),
    ],
)
def test_a_request_that_proves_nothing_is_refused(raw: bytes, why: str) -> None:
    with secret_service("envelope", ALL) as service, pytest.raises(ReadRequestError, match=why):
        service.verify(raw, NOW_MS)


def test_a_request_that_is_sent_again_gets_no_second_answer() -> None:
    with secret_service("envelope", ALL) as service:
        put(service.secret_sealing, order("envelope"))
        raw = request()
        assert read_secrets(service, raw)
        with pytest.raises(ReadRequestError, match="already answered"):
            service.verify(raw, NOW_MS + FRESH_MS)
        for later_ms in (3 * FRESH_MS, 6 * FRESH_MS):
            at_ms = NOW_MS + later_ms
            service.verify(request(requested_at_ms=at_ms), at_ms)
            assert len(service.seen.seen_at_ms) == 1, (
                "what is too old to be sent again is forgotten"
            )


def test_an_answer_opens_for_its_reader_and_its_request_alone() -> None:
    with secret_service("envelope", ALL) as service:
        put(service.secret_sealing, order("envelope"))
        asked, found = judged(service, request())
        served = service.serve(asked, found)
        assert VALUE not in served.box
        for key, name in ((HpkeKey(b"\x09" * 32), asked.name), (READER, "0x" + "00" * 32)):
            with pytest.raises(CorruptError):
                key.open(served.box, answer_context(name))


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_clients_secret_stays_shut_without_its_share_or_with_another(mode: CustodyMode) -> None:
    with secret_service(mode, ALL) as service:
        stored = put(service.secret_sealing, order(mode))
        other = share_for(service, received(stored), agent="other")
        foreign = share_for(service, received(stored), share_key="0x" + "05" * 32)
        later = share_for(service, received(stored), key_version=2)
        for number, share in enumerate((None, other, foreign, later)):
            asked, found = judged(service, request(client_share=share, nonce=f"0x{number:032x}"))
            with pytest.raises(CustodyError):
                service.serve(asked, found)


def test_a_reply_key_of_low_order_gets_nothing() -> None:
    with secret_service("envelope", ALL) as service:
        put(service.secret_sealing, order("envelope"))
        asked, found = judged(service, request(reply_to="0x" + "00" * 32))
        with pytest.raises(ReadRequestError):
            service.serve(asked, found)
