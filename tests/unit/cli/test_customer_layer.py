"""The customer's layer: sizes, and values without a key."""

from pathlib import Path

import pytest

from schemas.keys.vault_events import VALUE_BYTES_MAX
from signer.custody.cmek import CmekContext
from sixgate.cli.customer_layer import layered, unlayered
from sixgate.cli.exit_codes import CommandError

PLACE = CmekContext(org="acme", account="treasury", vault="main", path="db", version=1)
MOST = 65475


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text("ab" * 32)
    return file


def test_the_largest_value_fits_with_its_layer_and_one_byte_more_is_refused(key: Path) -> None:
    sealed = layered(bytes(MOST), PLACE, key)
    assert len(sealed) == VALUE_BYTES_MAX
    with unlayered(bytearray(sealed), PLACE, key) as value:
        assert value == bytes(MOST)
    with pytest.raises(CommandError, match=str(MOST)):
        layered(bytes(MOST + 1), PLACE, key)


def test_without_a_key_a_value_stays_unchanged() -> None:
    assert layered(b"value", PLACE, None) == b"value"
