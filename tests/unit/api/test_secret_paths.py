"""Paths of secrets in URLs: one decoding, no tricks."""

import pytest

from tests.harness.api import Api
from tests.harness.api_agents import Session, raw_request


@pytest.fixture(scope="module")
def person(api: Api) -> Session:
    return Session(api, api.person)


@pytest.fixture(scope="module")
def vault(person: Session) -> str:
    return person.vault()


@pytest.mark.parametrize(
    "path",
    [
        "..%2Fx", "a/..%2Fb", "a/%2E%2E/b", "a/../b", ".", "..", "a//b", "/a", "a/", "a%2F%2Fb", "",
        "%2e", "a/%2e/b", "a%00b", "a%0Ab", "a%0a", "a%5Cb", "a\\b", "%252e%252e", "a%252Fb",
        "a%7Fb", "a b", "a%20b", "%C3%A4", "%FF", "a;b", "a:b", "-a", "a%3Fb", "a%23b", "a" * 64,
        "a/" * 8 + "a", "%2F..%2F..%2Fetc%2Fpasswd",
    ],
)  # fmt: skip
@pytest.mark.parametrize("route", ["secrets", "secret-versions"])
def test_path_tricks_are_refused(person: Session, vault: str, route: str, path: str) -> None:
    status = raw_request(person.api, "GET", f"/v1/vaults/{vault}/{route}/{path}", person.headers)
    # 404: a newline, or no path at all, matches no route.
    assert status == 400 or (status == 404 and path in {"a%0Ab", "a%0a"})


def test_an_encoded_slash_equals_a_slash_and_is_decoded_once(person: Session, vault: str) -> None:
    person.put(vault, "one/two/three", "v")
    for path in ("one%2Ftwo/three", "one%2ftwo%2Fthree", "%6Fne/two/three"):
        url = f"/v1/vaults/{vault}/secrets/{path}"
        assert raw_request(person.api, "GET", url, person.headers) == 200
    url = f"/v1/vaults/{vault}/secret-version/one%2Ftwo%2Fthree%2F1"
    assert raw_request(person.api, "GET", url, person.headers) == 200


@pytest.mark.parametrize(
    "url",
    [
        "/v1/vaults/{vault}%2Fsecrets%2Fa/secrets/b", "/v1/vaults/{vault}%2Fsecrets/a",
        "/v1/vaults/{vault}/secrets%2Fa", "/v1%2Fvaults/{vault}/secrets/a",
        "/v1/vaults%2F{vault}/secrets/a", "/v1/vaults/%2e%2e/secrets/a",
    ],
)  # fmt: skip
def test_an_encoded_slash_moves_no_border_between_id_and_path(
    person: Session, vault: str, url: str
) -> None:
    person.put(vault, "a", "v")
    assert raw_request(person.api, "GET", url.format(vault=vault), person.headers) == 404
