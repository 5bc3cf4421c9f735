"""Whom an ID token names under each setting, and when the issuer counts as unavailable."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from sixgate.errors import SettingsError
from sixgate.oidc.errors import ClaimError, IdTokenError, IssuerUnavailableError
from sixgate.oidc.fetching import HttpsFetch, issuer_tls
from sixgate.oidc.id_tokens import Identity
from sixgate.oidc.issuer_keys import IssuerKeys
from sixgate.oidc.settings import OidcSettings
from tests.harness.identity_provider import IdentityProvider, identity_provider


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    with identity_provider(tmp_path_factory.mktemp("issuer")) as running:
        yield running


def named(provider: IdentityProvider, settings: dict[str, Any], **claims: Any) -> Identity:
    token = provider.token(**claims)
    return provider.login(**settings).verified(token, None, int(time.time() * 1000)).identity


def test_the_subject_or_a_verified_address_names_the_person(provider: IdentityProvider) -> None:
    assert named(provider, {}) == Identity(provider.issuer, "sub", "alice-1")
    by_email = named(provider, {"claim": "email"}, email="a@example.com", email_verified=True)
    assert by_email == Identity(provider.issuer, "email", "a@example.com")


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "a@example.com"},
        {"email": "a@example.com", "email_verified": False},
        {"email": "a@example.com", "email_verified": "true"},
        {"email": ["a@example.com"], "email_verified": True},
        {"email": "", "email_verified": True},
        {"email": "a" * 256, "email_verified": True},
        {"email_verified": True},
    ],
)
def test_an_address_that_the_issuer_did_not_verify_names_nobody(
    provider: IdentityProvider, claims: dict[str, Any]
) -> None:
    with pytest.raises(ClaimError):
        named(provider, {"claim": "email"}, **claims)


@pytest.mark.parametrize("groups", ["operators", ["staff", "operators"]])
def test_a_required_claim_is_equal_or_contained(provider: IdentityProvider, groups: object) -> None:
    settings = {"required_claims": {"groups": "operators"}}
    assert named(provider, settings, groups=groups).value == "alice-1"


@pytest.mark.parametrize("groups", [None, "staff", "operators2", [], ["staff"], {"operators": 1}])
def test_a_missing_required_claim_is_refused(provider: IdentityProvider, groups: object) -> None:
    with pytest.raises(ClaimError, match="groups"):
        named(provider, {"required_claims": {"groups": "operators"}}, groups=groups)


def test_an_authorized_party_must_be_in_the_settings(provider: IdentityProvider) -> None:
    assert named(provider, {"authorized_parties": ["cli"]}, azp="cli").value == "alice-1"
    with pytest.raises(IdTokenError, match="party"):
        named(provider, {"authorized_parties": ["cli"]}, azp="web")


def test_the_leeway_bounds_a_token_from_the_future(provider: IdentityProvider) -> None:
    now_s = int(time.time())
    assert named(provider, {"leeway_s": 30}, iat=now_s + 25, exp=now_s + 300).value == "alice-1"
    with pytest.raises(IdTokenError, match="future"):
        named(provider, {"leeway_s": 30}, iat=now_s + 60, exp=now_s + 300)


def test_the_leeway_extends_no_token(provider: IdentityProvider) -> None:
    now_s = int(time.time())
    with pytest.raises(IdTokenError, match="expired"):
        named(provider, {"leeway_s": 120}, iat=now_s - 60, exp=now_s - 1)


def test_an_algorithm_outside_the_settings_is_refused(tmp_path: Path) -> None:
    with identity_provider(tmp_path) as provider:
        provider.rotate("elliptic", ec.generate_private_key(ec.SECP256R1()))
        assert named(provider, {"algorithms": ["ES256"]}).value == "alice-1"
        with pytest.raises(IdTokenError, match="algorithm"):
            named(provider, {"algorithms": ["RS256"]})


def test_an_issuer_with_another_certificate_is_not_trusted(provider: IdentityProvider) -> None:
    asked = len(provider.asked)
    keys = IssuerKeys(provider.issuer, HttpsFetch(ssl.create_default_context()), time.monotonic)
    with pytest.raises(IssuerUnavailableError, match="cannot be reached"):
        keys.find("first")
    assert len(provider.asked) == asked


def test_an_issuer_that_is_down_is_unavailable(tmp_path: Path) -> None:
    with identity_provider(tmp_path) as provider:
        token, login = provider.token(), provider.login()
    with pytest.raises(IssuerUnavailableError, match="cannot be reached") as caught:
        login.verified(token, None, int(time.time() * 1000))
    assert caught.value.retry_after_s > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://issuer.example"},
        {"issuer": "https://"},
        {"issuer": "https://user@issuer.example"},
        {"issuer": "https://issuer.example?tenant=1"},
        {"issuer": "https://issuer.example#x"},
        {"client_id": ""},
        {"algorithms": []},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"claim": "preferred_username"},
        {"leeway_s": 121},
        {"age_s_max": 100_000},
    ],
    ids=str,
)
def test_settings_that_weaken_a_login_are_refused(wrong: dict[str, Any]) -> None:
    right = {"issuer": "https://issuer.example", "client_id": "sixgate"}
    assert OidcSettings(**right)
    with pytest.raises(ValidationError):
        OidcSettings(**right | wrong)


def test_a_file_without_authorities_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    with pytest.raises(SettingsError, match="oidc"):
        issuer_tls(file)
    file.write_text("no certificate")
    with pytest.raises(SettingsError, match="oidc"):
        issuer_tls(file)
