"""``sixgate submit``: valid, invalid, repeated and interrupted submissions."""

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from eth_account import Account

from tests.harness.builders.waiting import until
from tests.harness.cli.command_line import SECONDS_MAX, CommandLine, served
from tests.harness.cli.intents import INTENT, TO
from tests.harness.cli.lossy_link import losing_answers

MANY = 300  # their results fill a pipe many times, so a command waits there for its reader


@pytest.fixture(scope="module")
def quick(
    organisation: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """Serve one folder to the tests that need no fresh one."""
    with served(organisation.copy(tmp_path_factory.mktemp("submit") / "data")) as running:
        yield running


def intents(cli: CommandLine) -> int:
    return len(cli.ok("intents", "list", "--limit", "1000", "--json").json)


def test_half_an_eth_on_base_is_signed_without_a_node(cli: CommandLine) -> None:
    (result,) = cli.submit(INTENT)
    signed = result["result"]
    assert (result["outcome"], result["expected"], result["repeated"]) == ("signed", True, False)
    assert (signed["gas_from"], signed["fees_from"]) == ("chain-defaults", "chain-defaults")
    assert (signed["chain_id"], signed["value_wei"], signed["nonce"]) == (8453, "5" + "0" * 17, 0)
    sender = Account.recover_transaction(signed["raw_transaction"])
    (key,) = cli.ok("keys", "list", "--json").json
    assert sender.lower() == key["address"] == signed["sender"]


def test_one_wrong_line_refuses_the_file_before_anything_is_sent(quick: CommandLine) -> None:
    wrong = [
        INTENT | {"chain": "atlantis"},
        INTENT | {"value": 0.5},
        INTENT | {"to": TO[:-1] + "E"},
        INTENT | {"agent": "p\u0430yroll"},
        INTENT | {"gass": 1},
    ]
    text = "\n".join([json.dumps(INTENT), *map(json.dumps, wrong), '{"a": 1, "a": 2}', "{"])
    before = intents(quick)
    ended = quick.run("submit", "-", stdin=text)
    assert ended.code == 2
    assert ended.sentence.startswith("7 lines ")
    for line, (field, fact) in {
        2: ("chain: ", "atlantis"),
        3: ("value: ", "float"),
        4: ("to: ", "EIP-55"),
        5: ("agent: ", ""),
        6: ("'gass': ", ""),
        7: ("", "'a'"),
        8: ("", "JSON"),
    }.items():
        shown = ended.err.splitlines()[line - 2]
        assert shown.startswith(f"line {line}: {field}")
        assert fact in shown
    assert intents(quick) == before


def test_lines_that_are_not_shown_are_counted(quick: CommandLine) -> None:
    ended = quick.run("submit", "-", stdin="{\n" * 77)
    assert "57 more " in ended.err
    assert quick.run("submit", "-", stdin="{").sentence.startswith("1 line ")


def test_an_unregistered_name_refuses_the_file(quick: CommandLine) -> None:
    text = json.dumps(INTENT) + "\n" + json.dumps(INTENT | {"agent": "payrol"})
    before = intents(quick)
    ended = quick.run("submit", "-", stdin=text)
    assert ended.code == 2
    assert "line 2: agent: " in ended.err
    assert "did you mean payroll?" in ended.err
    assert intents(quick) == before


def test_keep_going_sends_valid_lines_and_reports_the_others(quick: CommandLine) -> None:
    text = json.dumps(INTENT) + "\n{\n" + json.dumps(INTENT | {"agent": "ghost"})
    ended = quick.run("submit", "-", "--keep-going", "--json", stdin=text)
    assert ended.code == 2
    assert [line["outcome"] for line in ended.lines] == ["signed"]
    assert "line 2: " in ended.err
    assert "line 3: " in ended.err


def test_keep_going_reports_each_invalid_line_once(quick: CommandLine) -> None:
    ended = quick.run("submit", "-", "--keep-going", stdin="{\n{\n")
    assert (ended.code, ended.err.count("line 1: ")) == (2, 1)
    assert ended.sentence.startswith("2 lines ")
    assert "--keep-going" not in ended.sentence


def test_a_refusal_shows_its_gate_and_ends_with_its_own_code(quick: CommandLine) -> None:
    text = json.dumps(INTENT | {"value": "5"})
    ended = quick.run("submit", "-", stdin=text)
    assert ended.code == 3
    assert "rejected value-cap: value_too_high" in " ".join(ended.out.split())
    assert re.search(r"(?m)^    .*\b5\b.*\b1\b", ended.out)  # the value and the cap
    expected = json.dumps(INTENT | {"value": "5", "expect": "value_too_high"})
    ended = quick.ok("submit", "-", stdin=expected)
    assert "1 of 1 " in ended.err
    assert "0 of 1 " in ended.err


def test_an_expectation_that_is_missed_is_shown(quick: CommandLine) -> None:
    text = json.dumps(INTENT | {"expect": "value_too_high"}) + "\n" + json.dumps(INTENT)
    ended = quick.run("submit", "-", stdin=text)
    assert ended.code == 3
    assert "    expected value_too_high\n" in ended.out
    assert ended.err.splitlines()[-1].startswith("1 ")


def test_a_saved_file_can_be_sent_again_without_signing_twice(
    quick: CommandLine, tmp_path: Path
) -> None:
    saved = tmp_path / "sent.jsonl"
    first = quick.submit(INTENT, INTENT | {"value": "5"}, words=("--save", str(saved)))
    again = sorted(
        quick.run("submit", str(saved), "--json").lines, key=lambda result: int(result["line"])
    )
    assert [r["repeated"] for r in again] == [True, True]
    assert "signed, as before" in quick.run("submit", str(saved)).out
    assert [r["intent"] for r in again] == [r["intent"] for r in first]
    assert again[0]["result"]["transaction_hash"] == first[0]["result"]["transaction_hash"]
    made = [item["event"]["intent"] for item in quick.ok("signed", "--json").lines]
    assert made.count(first[0]["intent"]) == 1
    refused = quick.run("submit", str(saved), "--save", str(saved))
    assert refused.code == 5
    assert "File exists" in refused.sentence


def test_a_command_with_its_own_key_can_be_repeated(quick: CommandLine) -> None:
    once, twice = INTENT | {"idempotency_key": "invoice-7"}, {"expires_in_s": 86_400}
    (first,), (again,) = quick.submit(once), quick.submit(once | twice)
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert again["intent"] != first["intent"]
    assert again["result"]["transaction_hash"] == first["result"]["transaction_hash"]
    assert "signed, as before" in quick.ok("submit", "-", stdin=json.dumps(once)).out
    listed = quick.ok("intents", "list", "--agent", once["agent"], "--key", "invoice-7").out
    assert len(re.findall(r"\bsigned\b", listed)) == 1
    assert listed.count(f"of {first['intent'][:6]}") == 1  # the other one left no record
    shown = " ".join(quick.ok("intents", "show", again["intent"]).out.split())
    assert f"repeats {first['intent']}" in shown
    assert first["result"]["transaction_hash"] in shown
    assert quick.ok("intents", "list", "--key", "invoice-8", "--json").json == []


def test_another_request_with_the_same_key_is_refused_without_advice_to_pay_again(
    quick: CommandLine,
) -> None:
    once = INTENT | {"idempotency_key": "it's-8"}
    quick.submit(once)
    for _ in range(2):  # the refusal of the same bytes is repeated too
        ended = quick.run("submit", "-", stdin=json.dumps(once | {"value": "0.4"}))
        told = " ".join(ended.out.split())
        assert ended.code == 3
        assert "--key 'it'\"'\"'s-8' before you send anything again" in told
        assert "then use a new idempotency_key" not in told


def test_a_repeated_refusal_ends_with_its_code_and_names_the_way_out(quick: CommandLine) -> None:
    dear = json.dumps(INTENT | {"idempotency_key": "invoice-9", "value": "5"})
    first = quick.run("submit", "-", stdin=dear)
    again = quick.run("submit", "-", stdin=dear)
    assert (first.code, again.code) == (3, 3)
    assert "then use a new idempotency_key" not in " ".join(first.out.split())
    assert "then use a new idempotency_key" in " ".join(again.out.split())


def test_a_submit_that_is_killed_can_be_sent_again(cli: CommandLine, tmp_path: Path) -> None:
    source, saved = tmp_path / "intents.jsonl", tmp_path / "sent.jsonl"
    source.write_text("".join(json.dumps(INTENT | {"value": "0.01"}) + "\n" for _ in range(MANY)))
    running = cli.start("submit", str(source), "--save", str(saved), "--json")
    until(lambda: saved.exists() and saved.read_bytes().count(b"\n") == MANY)
    running.kill()
    running.communicate()
    results = cli.ok("submit", str(saved), "--json").lines
    assert len(results) == MANY
    nonces = [item["event"]["nonce"] for item in cli.ok("signed", "--json").lines]
    assert sorted(nonces) == list(range(MANY))
    cli.ok("ledger", "verify")


def test_accepted_intents_are_decided_by_the_next_process(cli: CommandLine) -> None:
    (accepted,) = cli.submit(INTENT, words=("--no-wait",))
    (row,) = [
        row
        for row in cli.ok("intents", "list", "--json").json
        if row["intent"] == accepted["intent"]
    ]
    assert row["outcome"] in ("transaction.signed", "pending")
    assert len(cli.ok("signed", "--json").lines) == 1


def test_no_wait_prints_digests_in_the_order_of_the_lines(cli: CommandLine) -> None:
    text = "".join(json.dumps(INTENT | {"value": f"0.0{n}"}) + "\n" for n in range(1, 9))
    digests = cli.ok("submit", "-", "--no-wait", stdin=text).out.split()
    cli.submit(INTENT)
    listed = cli.ok("intents", "list", "--json").json
    assert [row["intent"] for row in listed if row["intent"] in digests] == digests
    values = {row["intent"]: row["value_wei"] for row in listed}
    assert [values[digest] for digest in digests] == [f"{n}0000000000000000" for n in range(1, 9)]


def test_a_list_reports_undecided_records(cli: CommandLine) -> None:
    text = "".join(json.dumps(INTENT | {"value": "0.001"}) + "\n" for _ in range(1000))
    cli.ok("submit", "-", "--no-wait", stdin=text)
    ended = cli.ok("intents", "list", "--limit", "10000", "--json")
    waiting = int(ended.err.split()[0]) if ended.err else 0
    assert len(ended.json) + waiting >= 1000, ended.err


def test_an_agent_whose_key_is_elsewhere_sends_envelopes(
    cli: CommandLine, organisation: CommandLine, tmp_path: Path
) -> None:
    saved = tmp_path / "sent.jsonl"
    organisation.copy(tmp_path / "elsewhere").submit(INTENT, words=("--save", str(saved)))
    (cli.data / "keys" / "agents" / "payroll.pem").unlink()
    refused = cli.run("submit", "-", stdin=json.dumps(INTENT))
    assert refused.code == 2
    assert "line 1: agent: " in refused.err
    assert cli.ok("submit", str(saved), "--json").lines[0]["outcome"] == "signed"


@pytest.mark.parametrize("words", [("submit", "-"), ("submit", "missing.jsonl")])
def test_an_empty_or_missing_file_is_refused(quick: CommandLine, words: tuple[str, ...]) -> None:
    ended = quick.run(*words)
    assert ended.code in (2, 5)
    assert ended.sentence


def test_a_trail_is_shown_gate_by_gate(quick: CommandLine) -> None:
    (result,) = quick.submit(INTENT | {"chain": "polygon"})
    shown = quick.ok("intents", "show", result["intent"][:12]).out
    assert shown.splitlines()[1] == f"intent           {result['intent']}"
    assert "not requested" in quick.ok("intents", "show", quick.submit(INTENT)[0]["intent"]).out
    for word in (
        "0.5 POL",
        "admission",
        "chain-restriction",
        "chain_not_allowed",
        "not reached",
        "polygon",
    ):
        assert word in shown
    events = quick.ok("intents", "show", result["intent"], "--json").json
    assert [event["topic"] for event in events][:2] == ["intents.submitted", "intents.admitted"]


def test_an_intent_is_found_by_its_printed_digest(quick: CommandLine) -> None:
    ended = quick.ok("submit", "-", stdin=json.dumps(INTENT))
    digest = next(word for word in ended.out.split() if word.startswith("0x") and "…" in word)
    (*_, newest) = quick.ok("signed", "--json").lines
    signed = newest["event"]
    assert signed["intent"].startswith(digest.rstrip("…"))
    shown = quick.ok("intents", "show", digest).out
    for name in (f"{digest[:-1]}...", signed["transaction_hash"], signed["transaction_hash"][:18]):
        assert quick.ok("intents", "show", name).out == shown
    unknown = quick.run("intents", "show", "0x" + "f" * 64)
    assert (unknown.code, "0xffff" in unknown.sentence) == (9, True)


@pytest.mark.parametrize("option", ["--save", None])
def test_ctrl_c_in_submit_says_how_many_were_accepted(
    cli: CommandLine, tmp_path: Path, option: str | None
) -> None:
    source, saved = tmp_path / "intents.jsonl", tmp_path / "sent.jsonl"
    source.write_text("".join(json.dumps(INTENT | {"value": "0.001"}) + "\n" for _ in range(MANY)))
    words = (option, str(saved)) if option else ()
    running = cli.start("submit", str(source), "--json", *words)
    assert running.stdout
    assert running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=SECONDS_MAX)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert f"{MANY} of {MANY} " in err
    assert "may have" not in err
    assert (f"sixgate submit {saved} " in err) is bool(option)


def test_a_missing_answer_is_not_reported_as_a_refusal(cli: CommandLine, tmp_path: Path) -> None:
    source = tmp_path / "intents.jsonl"
    source.write_text("".join(json.dumps(INTENT | {"value": "0.001"}) + "\n" for _ in range(MANY)))
    with served(cli) as quick:
        with losing_answers(cli.data) as lost:
            running = cli.start("submit", str(source))
            assert lost.wait(60)
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=SECONDS_MAX)
        assert running.returncode == 130, err
        assert f"{MANY} of {MANY} " in err
        assert "may have" in err
        until(lambda: len(quick.ok("signed", "--json").lines) == MANY)


def test_ctrl_c_before_anything_was_sent_says_so(cli: CommandLine) -> None:
    read, write = os.pipe()
    with os.fdopen(read), os.fdopen(write, "w") as source:
        running = cli.start("submit", f"/proc/{os.getpid()}/fd/{read}")
        source.write(json.dumps(INTENT))
        source.flush()
        until(lambda: reads(running.pid, read))
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=SECONDS_MAX)
    assert (running.returncode, "nothing was sent" in err) == (130, True), err


def reads(pid: int, pipe: int) -> bool:
    """Tell whether a process has opened a pipe of ours."""
    wanted = Path(f"/proc/self/fd/{pipe}").readlink()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed while we look
            if link.readlink() == wanted:
                return True
    return False


def test_ctrl_c_ends_a_follower_with_its_own_code(cli: CommandLine) -> None:
    cli.submit(INTENT)
    running = cli.start("signed", "--follow", "--json")
    assert running.stdout
    assert json.loads(running.stdout.readline())["event"]["nonce"] == 0
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=SECONDS_MAX)
    assert running.returncode == 130
    assert "Traceback" not in err
