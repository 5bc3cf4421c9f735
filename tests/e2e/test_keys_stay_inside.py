"""Promise 7: after a whole demo no private key stands anywhere, in any spelling."""

import base64
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from schemas.keys import KeyProvisioned
from schemas.topics import Topic
from signer.custody.context import SecretContext
from signer.custody.envelope import SealedSecret, open_secret
from signer.custody.kms.local import LocalKms
from signer.custody.kms.root_file import open_local_kms
from sixgate.folder import Folder
from streams.log.pipeline import PipelineLog


def spellings(key: bytes) -> list[bytes]:
    """Return a key raw, in hex, base64 (at each of the three alignments) and decimal."""
    aligned = [base64.b64encode(b"\x00" * pad + key)[4 if pad else 0 :][:40] for pad in range(3)]
    decimal = str(int.from_bytes(key, "big")).encode()
    return [key, key.hex().encode(), key.hex().upper().encode(), decimal, *aligned]


def generated_keys(folder: Folder) -> Iterator[bytes]:
    """Open every key of a folder, as only its root key can."""
    trust = folder.trust()
    kms = open_local_kms(folder.root_key, secrets.token_bytes)
    log = PipelineLog(folder.pipeline, trust.partitions)
    for partition in range(trust.partitions):
        for record in log.read(Topic.VAULT, partition, 0, 1000):
            yield opened(kms, trust.org, KeyProvisioned.decode(record.value))
    log.close()


def opened(kms: LocalKms, org: str, answer: KeyProvisioned) -> bytes:
    context = SecretContext(
        org=org,
        account=answer.account,
        vault=answer.vault,
        path=answer.path,
        version=answer.version,
        mode=answer.mode,
    )
    blobs = (answer.wrapped_kek, answer.wrapped_dek, answer.ciphertext)
    return bytes(open_secret(kms, context, SealedSecret(*(bytes.fromhex(b[2:]) for b in blobs))))


def run(data: Path, *words: str) -> bytes:
    command = [sys.executable, "-m", "sixgate", *words, "--data", str(data)]
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout + done.stderr


def test_no_file_and_no_output_of_a_demo_holds_a_key(tmp_path: Path) -> None:
    data = tmp_path / "data"
    written = {"demo": run(data, "demo")}
    written["keys"] = run(data, "keys", "list", "--json")
    written["ledger"] = run(data, "ledger", "sql", "SELECT * FROM ledger", "--json")
    written |= {str(f.relative_to(data)): f.read_bytes() for f in data.rglob("*") if f.is_file()}
    keys = list(generated_keys(Folder(data)))
    assert len(keys) >= 3
    for spelling in (spelling for key in keys for spelling in spellings(key)):
        assert [name for name, content in written.items() if spelling in content] == []


def test_the_search_would_find_a_key() -> None:
    key = bytes(range(32))
    for pad in range(3):
        text = base64.b64encode(b"p" * pad + key + b"tail")
        assert any(spelling in text for spelling in spellings(key))
    assert str(int.from_bytes(key, "big")).encode() in spellings(key)
