"""Promise 7: after a whole demo, and after crashes, no private key is where it should not be."""

import base64
import contextlib
import fcntl
import json
import os
import resource
import secrets
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from schemas.keys.curves import CURVES, Curve
from schemas.keys.key_events import KeyProvisioned
from schemas.topics import Topic
from signer.custody.context import SecretContext
from signer.custody.envelope import open_secret
from signer.custody.identity import _unsealed as opened_identity
from signer.custody.kms.local import LocalKms
from signer.custody.kms.root_file import open_local_kms
from signer.keys.descriptor import sealed_key
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.identity import read_identity
from streams.log.pipeline import PipelineLog
from tests.harness.cli.command_line import InProcess
from tests.harness.cli.intents import INTENT

SECONDS_MAX = 120
TRACEBACKS = {"SIXGATE_TRACEBACK": "1"}
IMPORTED = "aGVyZSBpcyBhIGtleSB0aGF0IGNhbWUgZnJvbSBvdXQ="
CRASHED = secrets.token_bytes(32)
CHAINS = ("bitcoin", "solana", "xrp", "cardano", "tron")


def spellings(key: bytes) -> list[bytes]:
    """Return a key raw, in hex, base64 (at each of the three alignments) and decimal."""
    aligned = [base64.b64encode(b"\x00" * pad + key)[4 if pad else 0 :][:40] for pad in range(3)]
    decimal = str(int.from_bytes(key, "big")).encode()
    reverse = str(int.from_bytes(key, "little")).encode()
    listed = ", ".join(map(str, key)).encode()
    return [key, key.hex().encode(), key.hex().upper().encode(), decimal, reverse, listed, *aligned]


@dataclass
class Run:
    """A data folder, and all output of commands on it; they run in a separate folder."""

    data: Path
    here: Path
    written: dict[str, bytes] = field(default_factory=dict)

    def run(self, *words: str, stdin: str = "", code: int = 0) -> None:
        """Run a command in this process and keep its output."""
        with contextlib.chdir(self.here):
            ended = InProcess(self.data).run(*words, stdin=stdin, more=TRACEBACKS)
        assert ended.code == code, ended.err
        self.written[" ".join(words)] = (ended.out + ended.err).encode()

    def process(self, *words: str, stdin: bytes = b"") -> None:
        """Run a command in a separate process and keep its output."""
        done = subprocess.run(
            self._command(*words), input=stdin, capture_output=True, cwd=self.here, check=False,
            preexec_fn=_allow_core_files, env=os.environ | TRACEBACKS,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        self.written[" ".join(words)] = done.stdout + done.stderr

    def crash(self, number: signal.Signals) -> None:
        """Serve the folder, have a transaction signed, and crash with its key open."""
        with subprocess.Popen(
            self._command("up"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.here,
            preexec_fn=_allow_core_files,  # noqa: PLW1509 - no thread is here
        ) as running:  # fmt: skip
            assert running.stderr
            first = running.stderr.readline()
            assert first.startswith(b"Serving "), first
            self.run("submit", "-", stdin=json.dumps(INTENT | {"value": "0.001", "to": TO}))
            running.send_signal(number)
            out, err = running.communicate(timeout=SECONDS_MAX)
        assert running.returncode == -number
        self.written[f"up, until {number.name}"] = out + first + err

    def crash_importing(self, digits: bytes, number: signal.Signals) -> None:
        """Crash a command that has read a private key and waits for the end of its input."""
        with subprocess.Popen(
            self._command("keys", "import", "-", "wallets/crashed", "--account", "treasury"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.here,
            preexec_fn=_allow_core_files,  # noqa: PLW1509 - no thread is here
        ) as running:  # fmt: skip
            assert running.stdin
            running.stdin.write(digits)
            running.stdin.flush()
            while fcntl.ioctl(running.stdin, termios.FIONREAD, bytes(4)) != bytes(4):
                time.sleep(0.01)
            running.send_signal(number)
            out, err = running.communicate(timeout=SECONDS_MAX)
        assert running.returncode == -number
        self.written[f"keys import, until {number.name}"] = out + err

    def everything(self) -> dict[str, bytes]:
        """Return every output and every file, by name."""
        places = (self.data, self.here)
        files = {str(f): f.read_bytes() for p in places for f in p.rglob("*") if f.is_file()}
        return self.written | files

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "sixgate", *words, "--data", str(self.data)]


TO = "0x2E0b83371842dc0e3f6709E9e6d36c87fFCe7223"


def _allow_core_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))


def sealed_keys(folder: Folder) -> Iterator[tuple[KeyProvisioned, bytes]]:
    """Open every version of every key of a folder, as only its root key can."""
    trust = folder.trust()
    kms = open_local_kms(folder.root_key, secrets.token_bytes)
    with closing(PipelineLog(folder.pipeline, trust.partitions)) as log:
        for partition in range(trust.partitions):
            for record in log.read(Topic.VAULT, partition, 0, 1000):
                if json.loads(record.value)["type"] == "key.provisioned":
                    answer = KeyProvisioned.decode(record.value)
                    yield answer, opened(kms, trust.org, answer)


def opened(kms: LocalKms, org: str, answer: KeyProvisioned) -> bytes:
    context = SecretContext(
        org=org,
        account=answer.account,
        vault=answer.vault,
        path=answer.path,
        version=answer.version,
        mode=answer.mode,
    )
    return bytes(open_secret(kms, context, sealed_key(answer)))


def filed_keys(folder: Folder) -> Iterator[tuple[bytes, Path | None]]:
    """Yield the keys of people and processes with the only file that may contain each."""
    for file in folder.path.rglob("*.pem"):
        yield load_pem_private_key(file.read_bytes(), None).private_bytes_raw(), file  # type: ignore[union-attr]
    yield folder.root_key.read_bytes(), folder.root_key
    kms = open_local_kms(folder.root_key, secrets.token_bytes)
    with opened_identity(kms, read_identity(folder)) as both:
        yield bytes(both[:32]), None
        yield bytes(both[32:]), None


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Play the demo, use keys in every way, and crash twice."""
    place = tmp_path_factory.mktemp("keys")
    (place / "here").mkdir()
    run = Run(place / "data", place / "here")
    run.run("demo")
    for chain in CHAINS:
        run.run("keys", "provision", "--chain", chain, "--account", "treasury")
    secret = base64.b64decode(IMPORTED).hex().encode()
    run.process("keys", "import", "-", "wallets/in", "--account", "treasury", stdin=secret)
    text = secret.decode()
    run.run("keys", "import", "-", "wallets/two", "--account", "treasury", stdin=text, code=4)
    run.run("keys", "import", "-", "wallets/no", "--account", "treasury", stdin=text[1:], code=2)
    run.run("keys", "rotate", "wallets/in", "--account", "treasury")
    run.run("keys", "deactivate", "--chain", "xrp", "--account", "treasury")
    run.crash(signal.SIGSEGV)
    run.crash(signal.SIGABRT)
    run.crash_importing(CRASHED.hex().encode(), signal.SIGSEGV)
    run.crash_importing(CRASHED.hex().encode(), signal.SIGABRT)
    run.run("keys", "list", "--json")
    run.run("ledger", "sql", "SELECT * FROM ledger", "--json")
    return run


def test_no_file_and_no_output_holds_a_key_of_a_vault(ended: Run) -> None:
    found = list(sealed_keys(Folder(ended.data)))
    curves = [CURVES[answer.chain] for answer, _ in found]
    assert curves.count(Curve.ED25519) >= 3
    assert curves.count(Curve.SECP256K1) >= 8
    assert base64.b64decode(IMPORTED) in {key for _, key in found}
    everything = ended.everything()
    keys = [CRASHED, *(key for _, key in found)]
    for spelling in (spelling for key in keys for spelling in spellings(key)):
        assert [name for name, content in everything.items() if spelling in content] == []


def test_other_private_keys_are_only_in_their_own_files(ended: Run) -> None:
    everything = ended.everything()
    found = list(filed_keys(Folder(ended.data)))
    assert len(found) >= 8
    for key, own in found:
        for spelling in spellings(key):
            names = {name for name, content in everything.items() if spelling in content}
            assert names <= ({str(own)} if own else set())


def test_a_crash_leaves_nothing_behind(ended: Run) -> None:
    assert list(ended.here.iterdir()) == []


def test_the_search_would_find_a_key() -> None:
    key = bytes(range(32))
    for pad in range(3):
        text = base64.b64encode(b"p" * pad + key + b"tail")
        assert any(spelling in text for spelling in spellings(key))
    for leak in (str(int.from_bytes(key, "big")), repr(list(key)), key.hex().upper()):
        assert any(spelling in leak.encode() for spelling in spellings(key))
