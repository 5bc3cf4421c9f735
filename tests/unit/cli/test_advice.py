import re

import pytest

from schemas.intents.intent import TransactionIntent
from schemas.intents.reasons import Reason
from sixgate.cli.advice import ADVICE, advice
from sixgate.cli.app import app

INTENT = TransactionIntent(
    org="acme",
    account="treasury",
    agent="payroll",
    chain_id=8453,
    to="0x" + "11" * 20,
    value_wei=1,
    data="0x",
    simulate_first=False,
    key_path="keys/base-signer",
    idempotency_key="k",
    expires_at_ms=1,
)


def test_every_reason_has_a_next_step() -> None:
    assert set(ADVICE) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_next_step_names_commands_and_options_that_exist(reason: Reason) -> None:
    step = advice(reason, INTENT, "base")
    assert "{" not in step
    assert not re.search(
        r"(?<!sixgate )\b(agents|keys|chains|settings) (add|update|rotate|set)\b", step
    )
    for group, name, rest in re.findall(r"sixgate ([a-z-]+)(?: ([a-z-]+))?([^,;)]*)", step):
        command = app.commands[group]
        command = command.commands[name] if hasattr(command, "commands") else command
        known = {
            flag for option in command.params for flag in (*option.opts, *option.secondary_opts)
        }
        assert set(re.findall(r"--[a-z-]+", rest)) <= known


@pytest.mark.parametrize("reason", Reason)
def test_a_next_step_that_replaces_a_list_mentions_it(reason: Reason) -> None:
    step = advice(reason, INTENT, "base")
    if re.search(r"--(allow-to|chains|delegates|key-path)\b", step):
        assert "replace" in step


def test_a_next_step_names_the_intents_own_agent_and_key() -> None:
    step = advice("key_not_granted", INTENT, "base")
    assert "sixgate agents update payroll --key-path keys/base-signer" in step
    assert "chains update base --gas-limit" in advice("fee_unknown", INTENT, "base")
