"""The commands of docs/operations.md make certificates that brokers map to the principals."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from schemas.topics import Principal
from streams.kafka.broker import Tls

PAGE = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
(COMMANDS,) = re.findall(r"(?s)```sh\n(openssl .*?)```", PAGE)
(RULE,) = re.findall(
    r"^ssl\.principal\.mapping\.rules=RULE:(\S+)/\$1/,DEFAULT$", PAGE, re.MULTILINE
)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
@pytest.mark.parametrize("principal", Principal)
def test_the_pages_commands_make_certificates_that_its_rule_maps_to_principals(
    principal: Principal, tmp_path: Path
) -> None:
    commands = COMMANDS.replace("gates", principal)
    subprocess.run(
        ["bash", "-ec", commands],  # noqa: S607 - bash of the machine
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    names = [tmp_path / "ca.pem", tmp_path / f"{principal}.pem", tmp_path / f"{principal}.key"]
    assert Tls(*names).usable()
    subject = x509.load_pem_x509_certificate(names[1].read_bytes()).subject.rfc4514_string()
    found = re.fullmatch(RULE, subject)
    assert found
    assert found[1] == principal


def test_the_reverse_order_of_names_maps_to_no_principal() -> None:
    assert not re.fullmatch(RULE, "OU=kafka,CN=gates")
    assert not re.fullmatch(RULE, "CN=gates,OU=kafka,O=acme")
