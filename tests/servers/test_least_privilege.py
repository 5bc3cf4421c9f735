"""The whole pipeline and every command, each with its own certificate only."""

import json
import secrets
from collections.abc import Iterator

import httpx
import pytest

from schemas.topics import Principal
from signer.custody.event_signing import Ed25519Signer
from sixgate.cli.exit_codes import ExitCode
from tests.harness.cli.command_line import Ended
from tests.harness.pipeline.embedded import ALLOWED
from tests.harness.pipeline.scaled_gateway import TRANSFER
from tests.harness.pipeline.secured import OWN, WITH_PEOPLE, Secured, secured

LIMITS = f"--max-value-eth 1 --daily-limit-eth 5 --allow-to {ALLOWED} --chains base --rate 60"
INTENT = json.dumps({"agent": "payroll", "chain": "base", "to": ALLOWED, "value": "0.5"})
PEOPLE_ADD = ("people", "add", "alice", "--json")
# The other commands that use Kafka or ClickHouse, in an order in which each finds what it needs.
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("services",),
    ("agents", "add", "payroll", "--account", "treasury", *LIMITS.split()),
    ("agents", "list"),
    ("agents", "show", "payroll"),
    ("agents", "update", "payroll", "--rate", "120"),
    ("keys", "provision", "--agent", "payroll"),
    ("keys", "list"),
    ("chains", "list"),
    ("settings", "get"),
    ("submit", "-"),
    ("signed",),
    ("intents", "list"),
    ("ledger", "sql", "SELECT count() FROM intents"),
    ("ledger", "head"),
    ("ledger", "verify"),
    ("agents", "deactivate", "payroll"),
)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    trader = Ed25519Signer("trader", secrets.token_bytes(32))
    with secured(tmp_path_factory.mktemp("secured"), [trader]) as found:
        published = found.run(found.settings(Principal.OPERATORS), "publish")
        assert published.code == ExitCode.OK, published.err
        for name in OWN:
            found.start(name)
        yield found


def test_operators_can_run_every_command(here: Secured) -> None:
    settings = here.settings(Principal.OPERATORS)
    for words in COMMANDS:
        done = here.run(settings, *words, stdin=INTENT)
        assert done.code == ExitCode.OK, (words, done.err, done.out)
    assert "1" in here.run(settings, "ledger", "sql", "SELECT count() FROM decisions").out


def test_gateway_and_desk_serve_people_and_agents_with_their_own_rights(here: Secured) -> None:
    settings = here.settings(Principal.OPERATORS)
    for words in (("settings", "set", "policies.require_explicit", "false"), PEOPLE_ADD):
        done = here.run(settings, *words)
        assert done.code == ExitCode.OK, done.err
    for name in WITH_PEOPLE:
        here.start(name)
    url = f"http://127.0.0.1:{here.api_port}"
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:

        def post(path: str, body: dict[str, object], token: str | None = None) -> dict[str, str]:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            reply = client.post(path, json=body, headers=headers)
            assert reply.is_success, reply.text
            found: dict[str, str] = reply.json()
            return found

        person = post("/v1/auth/api-key-token", {"api_key": done.json["api_key"]})["access_token"]
        made = post("/v1/agents", {"name": "bot", "intents_api_enabled": True}, person)
        post(f"/v1/agents/{made['id']}/signing-keys", {"chain": "ethereum"}, person)
        agent = post("/v1/auth/agent-token", {"api_key": made["api_key"]})["access_token"]
        sent = post(f"/v1/agents/{made['id']}/transactions", TRANSFER, agent)
        assert sent["status"] == "signed"
        headers = {"Authorization": f"Bearer {person}"}
        path = f"/v1/agents/{made['id']}/transactions/{sent['id']}"
        assert client.get(path, headers=headers).json()["tx_hash"] == sent["tx_hash"]
        assert client.get("/v1/audit/events", headers=headers).json()["events"]


@pytest.mark.parametrize("who", [Principal.PRODUCERS, Principal.CONSUMERS, "eve"])
def test_another_principal_is_told_which_certificate_a_command_needs(
    here: Secured, who: str
) -> None:
    for words in (("publish",), ("signed",), ("submit", "-")):
        refused(here.run(here.settings(who), *words, stdin=INTENT), "certificate of operators")


def test_changing_topics_needs_an_administrator(here: Secured) -> None:
    own = str(here.kafka.authority.issue(Principal.OPERATORS))
    tls = ("--ca", str(here.kafka.authority.file), "--certificate", own, "--key", own)
    where = ("--kafka", here.kafka.kafka.address, "--partitions", "4", *tls)
    for words in (("topics", "apply"), ("topics", "verify"), ("topics", "plan", "--acls")):
        ended = here.run(here.settings(Principal.OPERATORS), *words, *where)
        refused(ended, "an administrator of the brokers")


def refused(ended: Ended, whose: str) -> None:
    assert ended.code == ExitCode.REFUSED, ended.err
    assert whose in ended.sentence
    assert len(ended.err.splitlines()) == 1
