"""``sixgate attest verify``: offline, step by step, with a separate exit code."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from signer.attestation.verify.binding import Binding, Purpose
from signer.attestation.verify.errors import Step
from signer.attestation.verify.evidence import Claims, Evidence, evidence_file
from signer.attestation.verify.report import FIELDS
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.files import FILE_BYTES_MAX
from tests.harness.builders.attestation import AT, BINDING, crl, platform, simulated_policy
from tests.harness.cli.command_line import Ended, InProcess

PAGE = (Path(__file__).parents[3] / "docs" / "attestation.md").read_text()
KEY = b"a public key"
CLAIMS = Claims(
    ephemeral_key=base64.b64encode(KEY).decode(),
    key_set="0x" + "03" * 32,
    configuration="0x" + "04" * 32,
)
BOUND = replace(BINDING, ephemeral_key_digest=hashlib.sha256(KEY).digest())
TIME = AT.isoformat()
CLI = InProcess(None)


def write(folder: Path, binding: Binding = BOUND, policy: Any = None, **fields: Any) -> None:
    chip = platform()
    report = chip.sign({"report_data": binding.report_data()} | fields)
    evidence = Evidence(report, chip.certificates, crl())
    file = evidence_file(evidence, binding.nonce, CLAIMS)
    (folder / "evidence.json").write_bytes(file.encode())
    (folder / "policy.json").write_bytes((policy or simulated_policy()).encode())


def verify(folder: Path, *words: str) -> Ended:
    files = (str(folder / "evidence.json"), "--policy", str(folder / "policy.json"))
    return CLI.run("attest", "verify", *files, "--at", TIME, *words)


def test_every_step_is_shown_and_that_it_was_simulated(tmp_path: Path) -> None:
    write(tmp_path)
    ended = verify(tmp_path)
    assert ended.code == 0, ended.err
    assert ended.out.startswith("SIMULATED: ")
    assert ended.out.count("passed") == len(Step)
    assert "--nonce" in ended.out  # the file's own nonce proves no freshness


def test_json_has_every_decoded_field(tmp_path: Path) -> None:
    write(tmp_path)
    assert "--nonce" not in verify(tmp_path, "--nonce", BOUND.nonce.hex()).out
    found = verify(tmp_path, "--json", "--nonce", BOUND.nonce.hex()).json
    assert (found["verified"], found["nonce_is_ours"], found["simulated"]) == (True, True, True)
    assert found["report"].keys() == {field.name for field in FIELDS}
    assert found["policy_digest"] == simulated_policy().digest()
    assert {step["result"] for step in found["steps"]} == {"passed"}
    assert found["tcb"]["reported"] == {"boot_loader": 10, "tee": 0, "snp": 27, "microcode": 222}


def test_a_failure_names_its_step_and_code(tmp_path: Path) -> None:
    write(tmp_path, policy=simulated_policy(), vmpl=1)
    ended = verify(tmp_path)
    assert ended.code == ExitCode.NOT_ATTESTED
    assert "step 7" in ended.sentence
    assert "(vmpl_refused)" in ended.sentence
    assert ended.out.startswith("SIMULATED: ")
    assert (ended.out.count("passed"), ended.out.count("not reached")) == (6, 2)


def test_a_failure_in_json_lists_the_passed_steps(tmp_path: Path) -> None:
    write(tmp_path, vmpl=1)
    ended = verify(tmp_path, "--json")
    assert ended.code == ExitCode.NOT_ATTESTED
    assert (ended.json["verified"], ended.json["code"]) == (False, "vmpl_refused")
    results = [step["result"] for step in ended.json["steps"]]
    assert results == ["passed"] * 6 + ["FAILED"] + ["not reached"] * 2


def test_a_replayed_report_is_refused_by_its_nonce(tmp_path: Path) -> None:
    write(tmp_path)
    ended = verify(tmp_path, "--nonce", "09" * 32)
    assert (ended.code, "(report_data_mismatch)" in ended.sentence) == (14, True)


def test_a_report_for_key_release_fails_as_a_customers(tmp_path: Path) -> None:
    write(tmp_path, replace(BOUND, purpose=Purpose.KEY_RELEASE))
    assert "(report_data_mismatch)" in verify(tmp_path).sentence
    write(
        tmp_path,
        replace(BOUND, purpose=Purpose.KEY_RELEASE),
        simulated_policy(purpose=Purpose.KEY_RELEASE),
    )
    assert verify(tmp_path).code == 0


@pytest.mark.parametrize("purpose", Purpose)
def test_the_purpose_option_overrides_the_policys(tmp_path: Path, purpose: Purpose) -> None:
    write(tmp_path, replace(BOUND, purpose=purpose))
    for wanted in Purpose:
        ended = verify(tmp_path, "--purpose", wanted.value, "--json")
        assert ended.json["verified"] == (wanted is purpose)
    found = verify(tmp_path, "--purpose", purpose.value, "--json").json
    assert found["policy_digest"] == simulated_policy(purpose=purpose).digest()


def test_the_simulated_root_is_refused_unless_the_policy_names_it(tmp_path: Path) -> None:
    write(tmp_path, policy=simulated_policy(simulated_root=None))
    ended = verify(tmp_path)
    assert "(root_unpinned)" in ended.sentence


def test_foreign_evidence_is_verified_by_its_report_data(tmp_path: Path) -> None:
    write(tmp_path)
    file = tmp_path / "evidence.json"
    members = json.loads(file.read_bytes())
    del members["claims"]
    file.write_text(json.dumps(members, indent=1))
    assert (verify(tmp_path).code, "--report-data" in verify(tmp_path).sentence) == (2, True)
    expected = f"0x{BOUND.report_data().hex()}"
    assert verify(tmp_path, "--report-data", expected).code == 0
    assert verify(tmp_path, "--report-data", "0x" + "00" * 64).code == 14


def test_the_page_s_program_writes_evidence_that_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    chip = platform()
    chain = (chip.certificates.intermediate, chip.certificates.root)
    pem = b"".join(load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in chain)
    report = chip.sign({"report_data": BOUND.report_data()})
    files = {"report.bin": report, "leaf.der": chip.certificates.leaf, "cert_chain": pem}
    for name, content in (files | {"crl.der": crl()}).items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    exec(re.findall(r"(?s)```python\n(.*?)\n```", PAGE)[0], {})  # noqa: S102 - the page's own
    assert verify(tmp_path, "--report-data", BOUND.report_data().hex()).code == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\x02\x00\xff", "JSON"),
        (b"{}", "report"),
        (b'{"v": 1, "measurement": "any"}', "report"),
    ],
)
def test_invalid_evidence_is_refused_with_a_link_to_the_fields(
    tmp_path: Path, text: bytes, why: str
) -> None:
    write(tmp_path)
    (tmp_path / "evidence.json").write_bytes(text)
    ended = verify(tmp_path)
    assert (ended.code, why in ended.sentence) == (2, True), ended.sentence
    assert "docs/attestation.md" in ended.sentence


def test_a_policy_s_unknown_field_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "policy.json").write_text('{"measurement": "any"}')
    ended = verify(tmp_path)
    assert (ended.code, "measurement" in ended.sentence) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ("--nonce", "zz"),
        ("--nonce", "00" * 31),
        ("--report-data", "00" * 63),
        ("--report-data", "00" * 64, "--nonce", "00" * 32),
        ("--at", "yesterday"),
    ],
)
def test_a_wrong_option_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    write(tmp_path)
    ended = verify(tmp_path, *words)
    assert ended.code == ExitCode.USAGE
    assert ended.sentence


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"v": 1, "v": 1}', "x" * 2_000_000])
@pytest.mark.parametrize("name", ["evidence.json", "policy.json"])
def test_a_wrong_file_is_refused(tmp_path: Path, name: str, content: str) -> None:
    write(tmp_path)
    (tmp_path / name).write_text(content)
    wanted = ExitCode.NOT_ATTESTED if (name, content) == ("policy.json", "{}") else ExitCode.USAGE
    assert verify(tmp_path).code == wanted
    assert verify(tmp_path).sentence


def test_an_endless_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    ended = CLI.run("attest", "verify", "/dev/zero", "--policy", str(tmp_path / "policy.json"))
    assert (ended.code, str(FILE_BYTES_MAX) in ended.sentence) == (ExitCode.USAGE, True)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert verify(tmp_path).code == ExitCode.FOLDER
