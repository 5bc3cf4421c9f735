"""A process with keys leaves no core file and denies access; each test uses its own process."""

import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="prctl and mlockall are Linux's")
NOBODY = 65534
pytestmark = LINUX


def child(code: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, check=False,
        preexec_fn=_allow_core_files, timeout=60,
    )  # fmt: skip


def _allow_core_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))


def output_of(code: str) -> Sequence[str]:
    done = child(code)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_core_files_are_disabled_permanently_and_for_children() -> None:
    assert output_of(
        "import resource, subprocess, sys\n"
        "from signer.custody.process import forbid_core_files\n"
        "forbid_core_files()\n"
        "ask = 'import resource; print(*resource.getrlimit(resource.RLIMIT_CORE))'\n"
        "print(*resource.getrlimit(resource.RLIMIT_CORE), flush=True)\n"
        "subprocess.run([sys.executable, '-c', ask], check=True)\n"
    ) == ["0", "0", "0", "0"]


def test_an_undumpable_process_reports_it() -> None:
    assert output_of(
        "import ctypes\n"
        "from signer.custody.process import forbid_inspection\n"
        "get = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)\n"
        "print(get(), forbid_inspection(), get())\n"
    ) == ["1", "True", "0"]


def test_a_process_is_undumpable_before_it_opens_the_signers_keys() -> None:
    assert output_of(
        "import ctypes\n"
        "from pathlib import Path\n"
        "from sixgate.data_folder.folder import Folder\n"
        "from sixgate.services.slot import open_signer_keys\n"
        "try:\n"
        "    open_signer_keys(Folder(Path('/nonexistent')))\n"
        "except Exception:\n"
        "    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
    ) == ["0"]


def test_a_process_is_undumpable_before_it_reads_a_key_to_import(tmp_path: Path) -> None:
    at = f"'--data', '{tmp_path / 'data'}'"
    assert output_of(
        "import ctypes\n"
        "from sixgate.cli.app import app\n"
        f"app(['init', '--org', 'acme', {at}], standalone_mode=False)\n"
        "try:\n"
        f"    app(['keys', 'import', '/nonexistent', 'keys/in', {at}], standalone_mode=False)\n"
        "except Exception as error:\n"
        "    print('opened' in str(error), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
    )[-2:] == ["True", "0"]


def test_the_same_user_cannot_read_the_memory_of_an_undumpable_process() -> None:
    assert output_of(
        "import os, time\n"
        "from signer.custody.process import forbid_inspection\n"
        f"if os.geteuid() == 0: os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "def look(shielded):\n"
        "    ready, done = os.pipe(), os.pipe()\n"
        "    if (pid := os.fork()) == 0:\n"
        "        import ctypes; ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n"
        "        if shielded: forbid_inspection()\n"
        "        os.write(ready[1], b'x'); os.read(done[0], 1); os._exit(0)\n"
        "    os.read(ready[0], 1)\n"
        "    try:\n"
        "        with open(f'/proc/{pid}/mem', 'rb'): print('read')\n"
        "    except PermissionError:\n"
        "        print('denied')\n"
        "    os.write(done[1], b'x'); os.waitpid(pid, 0)\n"
        "import ctypes; ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n"
        "look(False); look(True)\n"
    ) == ["read", "denied"]


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV])
def test_a_crash_leaves_no_core_file(number: signal.Signals, tmp_path: Path) -> None:
    crash = f"import os; os.kill(os.getpid(), {number.value})"
    shielded = (
        "from signer.custody.process import forbid_core_files, forbid_inspection\n"
        "forbid_core_files(); forbid_inspection()\n"
    )
    assert child(shielded + crash, tmp_path).returncode == -number
    assert list(tmp_path.iterdir()) == []
    undumpable = "from signer.custody.process import forbid_inspection\nforbid_inspection()\n"
    assert child(undumpable + crash, tmp_path).returncode == -number
    assert list(tmp_path.iterdir()) == []


LOCK = """
import os, resource
from contextlib import suppress
from signer.custody.process import lock_memory
with suppress(ValueError):  # without the right to raise the limit the current one stays
    resource.setrlimit(resource.RLIMIT_MEMLOCK, ({soft}, {most}))
bounds = lambda: resource.getrlimit(resource.RLIMIT_MEMLOCK)
before = bounds()
if {powerless} and os.geteuid() == 0: os.setuid(65534)
locked = lock_memory()
much = bytearray(64 << 20)
kib = int(next(l for l in open("/proc/self/status") if l.startswith("VmLck")).split()[1])
unbounded = before[1] == resource.RLIM_INFINITY
print(locked, kib >= 64 << 10, unbounded, unbounded or before == bounds())
"""


@pytest.mark.parametrize(
    ("soft", "most"),
    [(0, 0), (0, 65536), (65536, 65536), (0, "resource.RLIM_INFINITY"), ("before", "before")],
)
@pytest.mark.parametrize("powerless", [True, False])
def test_memory_is_locked_if_no_limit_can_make_an_allocation_fail(
    soft: int | str, most: int | str, *, powerless: bool
) -> None:
    if soft == "before":
        soft, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    answer = output_of(LOCK.format(soft=soft, most=most, powerless=powerless))
    locked, all_of_it, unbounded, kept = (word == "True" for word in answer)
    assert (locked, kept) == (all_of_it, True)
    assert locked or not unbounded
    assert not (locked and powerless and not unbounded)
