"""People log in with ID tokens; forged, foreign, stale and unbound ones are refused."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi.testclient import TestClient

from sixgate.api.app import create_app
from sixgate.clocks import wall_ms
from sixgate.gateway.people import Person
from sixgate.oidc.id_tokens import Identity, IdToken
from sixgate.oidc.issuer_keys import FRESH_S, REREAD_S, RETRY_S
from tests.harness.api import Api, running_api
from tests.harness.identity_provider import (
    CLIENT_ID,
    DISCOVERY,
    IdentityProvider,
    identity_provider,
    public_jwk,
    unsigned,
)

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Clock:
    """A monotonic clock that tests move."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    with identity_provider(tmp_path_factory.mktemp("issuer")) as running:
        yield running


@pytest.fixture(scope="module")
def api(
    provider: IdentityProvider, clock: Clock, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("api") / "data") as running:
        services = replace(running.services, oidc=provider.login(clock))
        services.logins.bind(Identity(provider.issuer, "sub", "alice-1"), running.person_id)
        yield replace(running, services=services, client=TestClient(create_app(services)))


@pytest.fixture(autouse=True)
def fresh(provider: IdentityProvider, clock: Clock) -> None:
    """Begin each test with the issuer's own documents and an empty cache."""
    provider.describe()
    provider.publish()
    clock.now_s += 2 * FRESH_S
    provider.asked.clear()


def sent(api: Api, token: str, **members: Any) -> Any:
    return api.client.post("/v1/auth/oidc", json={"id_token": token} | members)


def refused(reply: Any, status: int, code: str, why: str = "") -> None:
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert why in reply.json()["detail"]


def bearer(reply: Any) -> dict[str, str]:
    assert reply.status_code == 200, reply.text
    return {"Authorization": f"Bearer {reply.json()['access_token']}"}


def test_a_person_logs_in_and_the_login_is_an_audit_event(
    api: Api, provider: IdentityProvider
) -> None:
    headers = bearer(sent(api, provider.token()))
    assert api.client.get("/v1/auth/me", headers=headers).json()["id"] == api.person_id
    found = api.client.get("/v1/audit/events?action=auth.login&limit=1", headers=headers).json()
    (event,) = found["events"]
    assert (event["actor_id"], event["client_ip"]) == (f"user:{api.person_id}", "testclient")


def test_a_token_is_exchanged_once(api: Api, provider: IdentityProvider) -> None:
    token = provider.token()
    headers = bearer(sent(api, token))
    for text in (token, token):
        refused(sent(api, text), 401, "unauthorized", "exchanged before")
    assert api.client.get("/v1/auth/me", headers=headers).status_code == 200
    bearer(sent(api, provider.token()))


def test_another_form_of_the_signature_makes_no_other_token(
    api: Api, provider: IdentityProvider
) -> None:
    before = provider.keys
    provider.rotate("elliptic", ec.generate_private_key(ec.SECP256R1()))
    token = provider.token()
    signed, _, text = token.rpartition(".")
    signature = jwt.utils.base64url_decode(text)
    other_s = P256_ORDER - int.from_bytes(signature[32:])
    other = jwt.utils.base64url_encode(signature[:32] + other_s.to_bytes(32)).decode()
    bearer(sent(api, token))
    refused(sent(api, f"{signed}.{other}"), 401, "unauthorized", "exchanged before")
    provider.keys = before


def test_a_refused_exchange_uses_no_token_up(api: Api, provider: IdentityProvider) -> None:
    token = provider.token(sub="dave-1")
    refused(sent(api, token), 403, "login_refused")
    api.services.logins.bind(Identity(provider.issuer, "sub", "dave-1"), api.person_id)
    bearer(sent(api, token))


def test_a_digest_is_kept_until_its_token_expires(api: Api) -> None:
    logins, identity = api.services.logins, Identity("https://id.example", "sub", "x")
    first, second = (IdToken(identity, digest, 100) for digest in ("0x1", "0x2"))
    assert logins.exchange(first, 0)
    assert logins.exchange(second, 99_000)
    assert not logins.exchange(first, 100_000)
    query = "SELECT count(*) AS kept FROM exchanged_id_tokens WHERE digest IN ('0x1', '0x2')"
    assert logins.exchange(IdToken(identity, "0x3", 200), 101_000)
    kept = api.services.database.row(query)
    assert kept
    assert kept["kept"] == 0


def test_an_elliptic_key_signs_too(api: Api, provider: IdentityProvider) -> None:
    before = provider.keys
    provider.rotate("elliptic", ec.generate_private_key(ec.SECP256R1()))
    bearer(sent(api, provider.token()))
    provider.keys = before


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"aud": "another-client"}, "another audience"),
        ({"aud": [CLIENT_ID, "another-client"]}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"azp": "another-client"}, "another party"),
        ({"exp": 1_700_000_000}, "has expired"),
        ({"exp": None}, "no valid exp"),
        ({"exp": True}, "no valid exp"),
        ({"iat": 4_000_000_000, "exp": 4_000_000_300}, "from the future"),
        ({"nbf": 4_000_000_000}, "from the future"),
        ({"iat": 1_700_000_000}, "old"),
        ({"iat": None}, "no valid iat"),
        ({"nonce": "n-1"}, "nonce"),
    ],
    ids=str,
)
def test_a_token_for_another_party_or_time_is_refused(
    api: Api, provider: IdentityProvider, changes: dict[str, Any], why: str
) -> None:
    refused(sent(api, provider.token(**changes)), 401, "unauthorized", why)


def test_one_audience_in_a_list_and_the_client_as_azp_are_accepted(
    api: Api, provider: IdentityProvider
) -> None:
    bearer(sent(api, provider.token(aud=[CLIENT_ID], azp=CLIENT_ID)))


def test_a_nonce_must_be_the_one_in_the_token(api: Api, provider: IdentityProvider) -> None:
    bearer(sent(api, provider.token(nonce="n-1"), nonce="n-1"))
    for token in (provider.token(), provider.token(nonce="n-2")):
        refused(sent(api, token, nonce="n-1"), 401, "unauthorized", "nonce")


def test_an_unsigned_token_is_refused(api: Api, provider: IdentityProvider) -> None:
    token = unsigned(provider.claims(), "first")
    refused(sent(api, token), 401, "unauthorized", "algorithm")
    assert provider.asked == []


@pytest.mark.parametrize("form", [PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1])
def test_the_public_key_is_no_shared_secret(
    api: Api, provider: IdentityProvider, form: PublicFormat
) -> None:
    """``alg`` confusion: HS256 with the text of the RSA key."""
    key = provider.keys["first"]
    secret = key.public_key().public_bytes(Encoding.PEM, form)
    head, body, _ = provider.token().split(".")
    head = jwt.utils.base64url_encode(b'{"alg":"HS256","kid":"first"}').decode()
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        f"{head}.{body}".encode(), secret
    )
    token = f"{head}.{body}.{jwt.utils.base64url_encode(signature).decode()}"
    refused(sent(api, token), 401, "unauthorized", "algorithm")


def test_a_symmetric_key_in_the_key_set_verifies_nothing(
    api: Api, provider: IdentityProvider
) -> None:
    provider.publish({"kty": "oct", "kid": "shared", "k": "c2VjcmV0", "alg": "HS256"})
    token = jwt.encode(provider.claims(), b"secret" * 6, "HS256", headers={"kid": "shared"})
    refused(sent(api, token), 401, "unauthorized", "algorithm")


def test_a_key_in_the_header_of_the_token_verifies_nothing(
    api: Api, provider: IdentityProvider
) -> None:
    mine = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    headers = {"kid": "first", "jwk": public_jwk(mine), "jku": "https://evil.example/keys"}
    token = jwt.encode(provider.claims(), mine, "RS256", headers=headers)
    refused(sent(api, token), 401, "unauthorized", "not signed by its issuer")


@pytest.mark.parametrize("header", [{"typ": "at+jwt"}, {"crit": ["exp"]}, {"kid": None}])
def test_another_kind_of_token_is_refused(
    api: Api, provider: IdentityProvider, header: dict[str, Any]
) -> None:
    refused(sent(api, provider.token(header)), 401, "unauthorized")


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "a" * 16_000, "\u0661.\u0661.\u0661"])
def test_what_is_no_token_is_refused(api: Api, provider: IdentityProvider, token: str) -> None:
    refused(sent(api, token), 401, "unauthorized")
    assert provider.asked == []


def test_unknown_keys_make_the_issuer_answer_once_a_minute(
    api: Api, provider: IdentityProvider, clock: Clock
) -> None:
    bearer(sent(api, provider.token()))
    known = len(provider.asked)
    clock.now_s += REREAD_S
    for number in range(5):
        refused(
            sent(api, provider.token({"kid": f"x{number}"})), 401, "unauthorized", "unknown key"
        )
    assert len(provider.asked) == 2 * known
    clock.now_s += REREAD_S
    refused(sent(api, provider.token({"kid": "x"})), 401, "unauthorized", "unknown key")
    assert len(provider.asked) == 3 * known


def test_a_rotated_key_is_found_and_the_former_one_ends(
    api: Api, provider: IdentityProvider, clock: Clock
) -> None:
    former = provider.token()
    bearer(sent(api, former))
    provider.rotate("second")
    clock.now_s += REREAD_S
    bearer(sent(api, provider.token()))
    refused(sent(api, former), 401, "unauthorized", "unknown key")


def test_a_withdrawn_key_ends_after_an_hour_without_any_unknown_one(
    api: Api, provider: IdentityProvider, clock: Clock
) -> None:
    former = provider.token()
    bearer(sent(api, former))
    provider.rotate("third")
    clock.now_s += FRESH_S
    refused(sent(api, former), 401, "unauthorized", "unknown key")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"issuer": "https://evil.example"}, "another issuer"),
        ({"jwks_uri": "http://127.0.0.1/keys"}, "https"),
        ({"jwks_uri": None}, "https"),
    ],
)
def test_a_discovery_document_of_another_issuer_is_not_used(
    api: Api, provider: IdentityProvider, change: dict[str, Any], why: str
) -> None:
    provider.describe(**change)
    reply = sent(api, provider.token())
    refused(reply, 503, "issuer_unavailable", why)
    assert int(reply.headers["retry-after"]) > 0


def test_an_issuer_that_fails_is_a_503_and_is_not_asked_again_at_once(
    api: Api, provider: IdentityProvider, clock: Clock
) -> None:
    document = provider.documents.pop("/realms/acme/keys")
    replies = [sent(api, provider.token()) for _ in range(3)]
    for reply in replies:
        refused(reply, 503, "issuer_unavailable")
        assert reply.headers["retry-after"] == str(int(RETRY_S))
    assert len(provider.asked) == 2
    provider.documents["/realms/acme/keys"] = document
    clock.now_s += RETRY_S
    bearer(sent(api, provider.token()))


@pytest.mark.parametrize("body", [b"", b"[]", b"x" * 70_000, b'{"keys":[{"kty":"RSA","kid":"a"}]}'])
def test_a_broken_key_set_is_a_503(api: Api, provider: IdentityProvider, body: bytes) -> None:
    provider.documents["/realms/acme/keys"] = body
    refused(sent(api, provider.token()), 503, "issuer_unavailable")


@pytest.mark.parametrize("path", ["/realms/acme/keys", f"/realms/acme{DISCOVERY}"])
def test_a_redirect_of_the_issuer_is_not_followed(
    api: Api, provider: IdentityProvider, path: str
) -> None:
    provider.redirects[path] = "https://127.0.0.1:1/elsewhere"
    refused(sent(api, provider.token()), 503, "issuer_unavailable", "HTTP 302")
    provider.redirects.clear()


def test_an_unknown_person_is_refused(api: Api, provider: IdentityProvider) -> None:
    refused(sent(api, provider.token(sub="mallory")), 403, "login_refused", "mallory")


def test_a_deactivated_person_is_refused_and_tokens_end(
    api: Api, provider: IdentityProvider
) -> None:
    services = api.services
    services.people.add(Person("bob", "bob", None, "admin", wall_ms(), active=True))
    services.logins.bind(Identity(provider.issuer, "sub", "bob-1"), "bob")
    headers = bearer(sent(api, provider.token(sub="bob-1")))
    services.people.deactivate("bob")
    assert api.client.get("/v1/agents", headers=headers).status_code == 401
    refused(sent(api, provider.token(sub="bob-1")), 401, "unauthorized", "deactivated")


def test_a_removed_login_ends_its_tokens(api: Api, provider: IdentityProvider) -> None:
    identity = Identity(provider.issuer, "sub", "carol-1")
    api.services.logins.bind(identity, api.person_id)
    first = bearer(sent(api, provider.token(sub="carol-1")))
    api.services.logins.bind(identity, api.person_id)
    assert api.client.get("/v1/auth/me", headers=first).status_code == 401
    second = bearer(sent(api, provider.token(sub="carol-1")))
    assert api.client.get("/v1/auth/me", headers=second).status_code == 200


def test_a_token_of_a_login_makes_nothing_that_outlives_it(
    api: Api, provider: IdentityProvider
) -> None:
    headers = bearer(sent(api, provider.token()))
    for path, body in (("refresh", None), ("api-keys", {"name": "mine"})):
        reply = api.client.post(f"/v1/auth/{path}", json=body, headers=headers)
        refused(reply, 403, "login_token")
    assert api.client.delete("/v1/auth/token", headers=headers).status_code == 204
    assert api.client.get("/v1/auth/me", headers=headers).status_code == 401


def test_without_an_issuer_in_the_settings_the_route_is_a_501(
    api: Api, provider: IdentityProvider
) -> None:
    app = create_app(replace(api.services, oidc=None))
    reply = TestClient(app).post("/v1/auth/oidc", json={"id_token": provider.token()})
    refused(reply, 501, "not_supported", "[api.oidc]")
