"""Checks process memory after a key was used and closed: no layer of its custody may remain.

A child process opens a key as the signer does and then reads its own memory. Search patterns
are passed and compared masked, so that the search does not put a key into memory.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from signer.custody import aead
from signer.custody.envelope import new_vault_key, seal_secret
from signer.custody.kms.local import LocalKms
from signer.custody.kms.root_file import create_root_file, load_root_file
from tests.harness.builders.custody_material import HERE, SECRET, Stream

MASK = 0xA5
CHILD = """
import gc, json, os, sys
from pathlib import Path
from signer.custody.context import SecretContext
from signer.custody.envelope import SealedSecret, open_secret
from signer.custody.handle import KeyHandle
from signer.custody.kms.root_file import open_local_kms

TABLE = bytes(byte ^ 0xA5 for byte in range(256))

def count(needles):
    found = dict.fromkeys(needles, 0)
    for line in open("/proc/self/maps"):
        span, rights, *_ = line.split()
        if "rw" not in rights or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
            continue
        start, end = (int(edge, 16) for edge in span.split("-"))
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            memory.seek(start)
            region = memory.read(end - start).translate(TABLE)
        assert len(region) == end - start
        for name, masked in needles.items():
            found[name] += region.count(masked)
    return found

job = json.load(sys.stdin)
needles = {name: bytes.fromhex(text) for name, text in job["needles"].items()}
kms = open_local_kms(Path(job["root"]), os.urandom)
sealed = SealedSecret(*(bytes.fromhex(blob) for blob in job["blobs"]))
handle = KeyHandle(open_secret(kms, SecretContext.decode(job["context"].encode()), sealed))
handle.sign(bytes(32))
if job["close"]:
    handle.close()
    del kms
    gc.collect()
print(json.dumps(count(needles)))
"""


def masked(secret: bytes) -> str:
    return bytes(byte ^ MASK for byte in secret[4:28]).hex()


def findings(tmp_path: Path, *, close: bool) -> dict[str, int]:
    """Seal a key, let a child open and use it, and count the child's findings per layer.

    One search per process: a search copies its findings to places where the next would find them.
    """
    root_path, random_bytes = tmp_path / "root.key", Stream("memory")
    create_root_file(root_path, random_bytes)
    root = bytes(load_root_file(root_path))
    kms = LocalKms(root, random_bytes)
    wrapped_kek = new_vault_key(kms, HERE.vault_context, random_bytes)
    sealed = seal_secret(kms, wrapped_kek, HERE, SECRET, random_bytes)
    _, kek, dek = (draw for draw in random_bytes.drawn if len(draw) == aead.KEY_BYTES)
    layers = {"root": root, "kek": kek, "dek": dek, "secret": SECRET}
    job = {
        "root": str(root_path),
        "context": HERE.encode().decode(),
        "blobs": [sealed.wrapped_kek.hex(), sealed.wrapped_dek.hex(), sealed.ciphertext.hex()],
        "needles": {name: masked(secret) for name, secret in layers.items()},
        "close": close,
    }
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(job).encode(), check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


LINUX = pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="needs Linux's view of a process's own memory"
)


@LINUX
def test_only_the_open_key_and_the_root_are_in_memory_while_a_key_is_open(tmp_path: Path) -> None:
    counts = findings(tmp_path, close=False)
    assert counts["root"] > 0
    assert counts["secret"] > 0
    assert (counts["kek"], counts["dek"]) == (0, 0)


@LINUX
def test_after_a_key_is_closed_no_layer_of_it_is_left_in_memory(tmp_path: Path) -> None:
    assert findings(tmp_path, close=True) == {"root": 0, "kek": 0, "dek": 0, "secret": 0}


def test_a_handle_open_at_exit_wipes_its_buffer() -> None:
    program = """
import atexit
from signer.custody.handle import KeyHandle
buffer = bytearray(range(1, 33))
atexit.register(lambda: print(bytes(buffer).hex()))  # runs after those registered later
key = KeyHandle(buffer)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, timeout=60
    )
    assert done.stdout.decode().strip() == "00" * 32
