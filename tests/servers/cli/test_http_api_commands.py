"""``init --compatible``, ``people add``, ``up --http``: what they set up, what they refuse."""

import signal
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sixgate_client import Client

from sixgate.data_folder.folder import Folder
from sixgate.gateway.database import Database
from sixgate.gateway.people import People
from tests.harness.cli.command_line import InProcess, stopped
from tests.harness.identity_provider import CLIENT_ID, identity_provider

EXPLICIT = "policies.require_explicit"


@pytest.fixture(scope="module")
def compatible(tmp_path_factory: pytest.TempPathFactory) -> InProcess:
    """Make an organisation in which absent limits mean none, with one person."""
    cli = InProcess(tmp_path_factory.mktemp("compatible") / "data")
    cli.ok("init", "--org", "acme", "--compatible")
    return cli


def post(url: str, body: dict[str, Any], token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.post(url, json=body, headers=headers, timeout=60)


def token_of(url: str, api_key: str) -> str:
    reply = post(f"{url}/v1/auth/api-key-token", {"api_key": api_key})
    assert reply.status_code == 200, reply.text
    return str(reply.json()["access_token"])


def test_a_compatible_organisation_requires_no_explicit_policies(compatible: InProcess) -> None:
    assert compatible.ok("settings", "get", EXPLICIT).out.strip() == "false"


def test_a_new_organisation_requires_explicit_policies_unless_told_otherwise(
    organisation: InProcess,
) -> None:
    assert organisation.ok("settings", "get", EXPLICIT).out.strip() == "true"


def test_the_first_compatible_step_says_that_absent_limits_are_no_limits(tmp_path: Path) -> None:
    cli = InProcess(tmp_path / "data")
    out = cli.ok("init", "--org", "acme", "--compatible").out
    assert "An agent without limits may sign anything" in out
    assert f"Next: sixgate people add NAME --data {cli.data}" in out


def test_an_agent_of_a_compatible_organisation_needs_no_limits(
    compatible: InProcess, tmp_path: Path
) -> None:
    cli = compatible.copy(tmp_path / "data")
    person = cli.ok("people", "add", "alice")
    assert "explicit" not in person.err
    api_socket = tmp_path / "api.sock"
    more = {"SIXGATE_API__SOCKET": str(api_socket)}
    running = cli.start("up", "--http", "[::1]:0", more=more)
    url = served_url(running)
    assert url.startswith("http://[::1]:")
    try:
        with Client(unix_socket=str(api_socket), api_key=person.out.strip()) as on_socket:
            assert on_socket.chains()
        token = token_of(url, person.out.strip())
        agent = post(f"{url}/v1/agents", {"name": "bot"}, token).json()
        assert (agent["tx_to_allowlist"], agent["tx_max_value_eth"]) == ([], None)
    finally:
        assert stopped(running, signal.SIGTERM) == 0


def test_a_person_of_an_explicit_organisation_learns_what_agents_need(cli: InProcess) -> None:
    added = cli.ok("people", "add", "alice")
    assert "requires explicit policies" in added.err
    assert f"sixgate settings set {EXPLICIT} false" in added.err
    assert added.out.startswith("1ck_")
    running = cli.start("up", "--http", "127.0.0.1:0")
    url = served_url(running)
    try:
        token = token_of(url, added.out.strip())
        refused = post(f"{url}/v1/agents", {"name": "bot"}, token)
        assert refused.status_code == 400
        assert {"tx_max_value_eth", "tx_to_allowlist"} <= refused.json()["fields"].keys()
    finally:
        assert stopped(running, signal.SIGTERM) == 0


def test_up_without_a_person_names_the_command_that_adds_one(organisation: InProcess) -> None:
    ended = organisation.run("up", "--http", "127.0.0.1:0")
    assert ended.code == 5
    assert ended.sentence.startswith(f"{organisation.data} has no people who may use the HTTP API")
    assert ended.sentence.endswith(f"run sixgate people add NAME --data {organisation.data}")


def test_up_with_a_revoked_desk_names_the_command_that_registers_it(cli: InProcess) -> None:
    cli.ok("people", "add", "alice")
    (desk,) = cli.ok("admins", "list", "--json").json
    cli.ok("admins", "remove", desk["name"])
    ended = cli.run("up", "--http", "127.0.0.1:0")
    assert (ended.code, "is revoked: register it again" in ended.sentence) == (5, True)
    # As docs/cli.md says: with limits that the first desk does not have.
    bounded = ["--gateway", desk["gateway"], "--max-value-eth", "1", "--daily-limit-eth", "5"]
    account, key = desk["accounts"][0], desk["public_key"]
    cli.ok("admins", "add", desk["name"], "--public-key", key, "--account", account, *bounded)
    running = cli.start("up", "--http", "127.0.0.1:0")
    assert served_url(running)
    assert stopped(running, signal.SIGTERM) == 0


def test_a_bound_person_logs_in_with_an_id_token_until_unbound(
    cli: InProcess, tmp_path: Path
) -> None:
    with identity_provider(tmp_path / "issuer") as provider:
        at = ("--issuer", provider.issuer)
        cli.ok("people", "add", "alice")
        added = cli.ok("people", "add", "bob", "--subject", "bob-1", *at, "--json").json
        assert added["api_key"] is None
        cli.ok("people", "bind", "alice", "--subject", "alice-1", *at)
        more = {
            "SIXGATE_API__OIDC__ISSUER": provider.issuer,
            "SIXGATE_API__OIDC__CLIENT_ID": CLIENT_ID,
            "SIXGATE_API__OIDC__CA": str(provider.authority),
        }
        running = cli.start("up", "--http", "127.0.0.1:0", more=more)
        url = f"{served_url(running)}/v1/auth/oidc"
        try:
            for subject in ("alice-1", "bob-1"):
                token = provider.token(sub=subject)
                assert post(url, {"id_token": token}).status_code == 200
            listed = {one["name"]: one["logins"] for one in cli.ok("people", "list", "--json").json}
            assert listed["bob"] == [{"issuer": provider.issuer, "claim": "sub", "value": "bob-1"}]
            cli.ok("people", "unbind", "bob")
            refused = post(url, {"id_token": provider.token(sub="bob-1")})
            assert (refused.status_code, refused.json()["code"]) == (403, "login_refused")
        finally:
            assert stopped(running, signal.SIGTERM) == 0


def test_a_deactivation_that_was_interrupted_can_be_repeated(cli: InProcess) -> None:
    added = cli.ok("people", "add", "alice", "--json").json
    with closing(Database(Folder(cli.data).gateway)) as database:
        People(database).deactivate(added["id"])  # and the process ends
    cli.ok("people", "deactivate", "alice")
    assert cli.ok("agents", "show", added["id"], "--json").json["agent"]["active"] is False
    ended = cli.run("people", "bind", "alice", "--subject", "x", "--issuer", "https://id.example")
    assert (ended.code, "alice" in ended.sentence) == (9, True)


def test_two_active_people_cannot_have_one_name(cli: InProcess) -> None:
    first = cli.ok("people", "add", "alice", "--json").json
    registered = cli.ok("agents", "list", "--json").json
    for name in ("alice", first["id"]):
        ended = cli.run("people", "add", name)
        assert ended.code == 2
        assert ended.sentence.startswith(f"{name} is the name of an active person already")
    assert cli.ok("agents", "list", "--json").json == registered
    cli.ok("people", "deactivate", "alice")
    cli.ok("people", "add", "alice")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--subject", "x"), "--issuer"),
        (("--subject", "x", "--email", "a@b", "--issuer", "https://id.example"), "--subject or"),
    ],
)
def test_a_login_is_one_identity_at_an_issuer(
    cli: InProcess, words: tuple[str, ...], why: str
) -> None:
    ended = cli.run("people", "add", "alice", *words)
    assert (ended.code, why in ended.sentence) == (2, True)
    assert cli.ok("people", "list", "--json").json == []


def test_mcp_without_an_api_key_names_where_to_give_it(tmp_path: Path) -> None:
    ended = InProcess(tmp_path).run("mcp", "--url", "http://127.0.0.1:1")
    assert (ended.code, "--api-key-file or SIXGATE_API_KEY" in ended.sentence) == (2, True)


def test_up_at_a_taken_address_says_so_and_leaves_the_folder_usable(cli: InProcess) -> None:
    cli.ok("people", "add", "alice")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = cli.run("up", "--http", f"127.0.0.1:{port}")
    assert ended.code == 2
    assert ended.sentence.startswith(
        f"another process listens at 127.0.0.1:{port} ([api]): stop it, or"
    )
    assert cli.ok("agents", "list").out


@pytest.mark.parametrize("host", ["198.51.100.7", "[::]", "192.0.2.1", "gateway.example"])
def test_up_beyond_loopback_without_tls_is_refused_before_anything_starts(
    host: str, tmp_path: Path
) -> None:
    # There is not even a data folder: the address is checked first.
    ended = InProcess(tmp_path / "data").run("up", "--http", f"{host}:8600")
    assert ended.code == 2
    assert ended.sentence.startswith(f"--http {host}:8600 is reachable from other machines")
    assert "SIXGATE_API__TLS__CERTIFICATE" in ended.sentence


@pytest.mark.parametrize("address", ["8600", ":8600", "127.0.0.1:", "127.0.0.1:65536", "h:\u0661"])
def test_up_refuses_what_is_no_address(address: str, tmp_path: Path) -> None:
    ended = InProcess(tmp_path / "data").run("up", "--http", address)
    assert (ended.code, "give HOST:PORT" in ended.sentence) == (2, True)


def test_up_with_a_wrong_setting_names_it(cli: InProcess) -> None:
    more = {"SIXGATE_API__WAIT_S_MAX": "60"}
    ended = cli.run("up", "--http", "127.0.0.1:0", more=more)
    assert ended.code == 2
    assert ended.sentence.startswith("the setting api.wait_s_max is wrong")


def served_url(running: Any) -> str:
    """Return the URL that ``up`` prints once it serves."""
    line = running.stderr.readline()
    assert line.startswith("Serving "), line + running.stderr.read()
    return str(line.split(" and ")[1].split(";")[0])
