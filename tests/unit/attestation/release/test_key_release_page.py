"""The tables of ``docs/key-release.md`` match the code."""

import re

import pytest

from schemas.canonical import Canonical
from schemas.keys.release import RELEASE_MEANING, ReleaseReason
from signer.attestation.release.judge.workload_token import TokenCode
from signer.attestation.release.policy import ReleaseHolder, ReleasePolicy, WorkloadTerms
from tests.harness.builders.attestation import repository_page

PAGE = repository_page("key-release.md")


def test_every_reason_has_its_line() -> None:
    assert list(RELEASE_MEANING) == list(ReleaseReason)
    wanted = [f"| `{reason}` | {meaning} |" for reason, meaning in RELEASE_MEANING.items()]
    _, _, table = PAGE.partition("| reason | meaning |\n|---|---|\n")
    assert table.splitlines()[: len(wanted)] == wanted


def test_every_code_of_a_token_has_its_line() -> None:
    named = re.findall(
        r"^\| `(token_\w+)` \| \S", PAGE.partition("Codes of tokens")[2], re.MULTILINE
    )
    assert named == list(TokenCode)


@pytest.mark.parametrize("model", [ReleasePolicy, ReleaseHolder, WorkloadTerms])
def test_every_field_has_its_line(model: type[Canonical]) -> None:
    tables = re.findall(r"\| field \| what \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE)
    cells = [re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE) for table in tables]
    named = [[name for cell in one for name in re.findall(r"`(\w+)`", cell)] for one in cells]
    assert list(model.model_fields) in named
