"""The tables of ``docs/attestation.md`` match the code."""

import re

import pytest

from schemas.canonical import Canonical
from schemas.keys.boot import BootFacts, KeySet, SignerBoot, SignerConfiguration
from signer.attestation.verify.errors import Code, Step
from signer.attestation.verify.evidence import EvidenceFile
from signer.attestation.verify.meanings import MEANING, PROVES
from signer.attestation.verify.policy import GenerationFloor, VerificationPolicy
from sixgate.config.attestation import AttestationSettings, PlatformKind
from sixgate.services.attestation_page import STATUS
from tests.harness.builders.attestation import repository_page

PAGE = repository_page("attestation.md")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[str]:
    return re.findall(r"^\| `.*$", text, re.MULTILINE)


def test_every_code_has_one_step_and_its_line() -> None:
    assert list(MEANING) == sorted(Code, key=lambda code: code.step)
    wanted = [f"| {int(code.step)} | `{code}` | {meaning} |" for code, meaning in MEANING.items()]
    assert re.findall(r"^\| \d \| `.*$", section("Codes"), re.MULTILINE) == wanted


def test_every_step_has_its_codes_and_its_line() -> None:
    assert list(PROVES) == sorted({code.step for code in Code}) == list(Step)
    wanted = [f"| {int(step)} | {shows} |" for step, shows in PROVES.items()]
    assert re.findall(r"^\| \d \| .*$", section("Verifying"), re.MULTILINE) == wanted


@pytest.mark.parametrize(
    ("title", "models"),
    [
        ("The policy", (VerificationPolicy, GenerationFloor)),
        ("The evidence file", (EvidenceFile,)),
    ],
)
def test_every_field_has_its_line(title: str, models: tuple[type[Canonical], ...]) -> None:
    named = [name for row in rows(section(title)) for name in re.findall(r"`(\w+)`", cell(row))]
    assert named == [name for model in models for name in model.model_fields]


def cell(row: str) -> str:
    return row.partition(" | ")[0]


def test_the_page_has_every_field_of_a_boot_and_of_what_it_binds() -> None:
    text = section("From an outcome to its machine")
    for model in (BootFacts, SignerBoot, KeySet, SignerConfiguration):
        assert all(f"`{name}`" in text for name in model.model_fields if name != "type")


def test_the_page_has_the_platforms_and_every_setting() -> None:
    text = section("Fetching")
    wanted = [*AttestationSettings.model_fields, *PlatformKind]
    assert all(f"`{name}`" in text for name in wanted)


def test_the_page_has_the_refusals_of_the_port() -> None:
    for code, status in STATUS.items():
        line = next(line for line in section("Fetching").splitlines() if f"`{code}`" in line)
        assert line.startswith(f"| {int(status)} |")
