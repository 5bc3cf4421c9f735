"""The ``sixgate`` command: ``CommandLine`` starts processes, ``InProcess`` runs in this one.

A command in this process takes 0.05 s against a running node and 0.3 s on a folder at rest; a new
process takes two seconds. Use processes for exit codes, signals and pipes.
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from sixgate.cli.app import run

SECONDS_MAX = 180  # far above the time on a busy machine, below pytest's timeout
COMMAND = (sys.executable, "-m", "sixgate")


@dataclass(frozen=True)
class Ended:
    """The exit code of a command and its output."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def sentence(self) -> str:
        """Return the one line of the error."""
        errors = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert "Traceback" not in self.err, self.err
        assert len(errors) == 1, self.err
        return errors[0].removeprefix("Error: ")


@dataclass(frozen=True)
class CommandLine:
    """Runs commands on one data folder, or without ``--data``."""

    folder: Path | None

    def run(self, *words: str, stdin: str = "", more: dict[str, str] | None = None) -> Ended:
        """Run a command to its end, with ``more`` added to its environment."""
        return self._run(words, stdin, self.environment | (more or {}))

    def run_after(self, before: Callable[[], None], *words: str, stdin: str = "") -> Ended:
        """Run a command in a process that first calls ``before``."""
        return _run_process(words, stdin, self.environment, before)

    def _run(self, words: Sequence[str], stdin: str, environment: dict[str, str]) -> Ended:
        return _run_process(words, stdin, environment)

    def ok(self, *words: str, stdin: str = "") -> Ended:
        ended = self.run(*words, stdin=stdin)
        assert ended.code == 0, ended.err + ended.out
        return ended

    def start(self, *words: str, more: dict[str, str] | None = None) -> "subprocess.Popen[str]":
        """Start a command, with ``more`` added to its environment."""
        return subprocess.Popen(
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment | (more or {}),
        )

    def up(self) -> "subprocess.Popen[str]":
        """Start ``sixgate up`` and wait until it serves."""
        running = self.start("up")
        assert running.stderr
        first = running.stderr.readline()
        assert first.startswith("Serving "), first
        return running

    def submit(self, *intents: dict[str, Any], words: Sequence[str] = ()) -> list[Any]:
        """Submit intents through standard input; return the results in the same order."""
        lines = "".join(json.dumps(intent) + "\n" for intent in intents)
        ended = self.run("submit", "-", "--json", *words, stdin=lines)
        assert ended.code in (0, 3), ended.err
        return sorted(ended.lines, key=lambda line: line["line"])

    def copy(self, to: Path) -> Self:
        shutil.copytree(self.data, to, symlinks=True)
        return type(self)(to)

    @property
    def processes(self) -> "CommandLine":
        """Return a command line for the same folder that starts one process per command."""
        return CommandLine(self.folder)

    def files_at_rest(self) -> list[bytes]:
        """Return every file's content. No node may run: it would merge files meanwhile."""
        files = [path.read_bytes() for path in self.data.rglob("*") if path.is_file()]
        assert files
        return files

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "SIXGATE" not in name}
        named = {"SIXGATE_DATA": str(self.folder)} if self.folder else {}
        return kept | named | {"COLUMNS": "120"}

    @property
    def data(self) -> Path:
        assert self.folder
        return self.folder


def _run_process(
    words: Sequence[str],
    stdin: str,
    environment: dict[str, str],
    before: Callable[[], None] | None = None,
) -> Ended:
    done = subprocess.run(
        [*COMMAND, *words],
        input=stdin,
        capture_output=True,
        text=True,
        env=environment,
        timeout=SECONDS_MAX,
        check=False,
        preexec_fn=before,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class InProcess(CommandLine):
    """Runs the same commands in this process, many per second.

    On a folder at rest, a command opens the ledger's engine here and closes it again: a process
    holds the engine on one folder at a time.
    """

    def _run(self, words: Sequence[str], stdin: str, environment: dict[str, str]) -> Ended:
        with tempfile.TemporaryFile() as given:
            # A real file, as commands may read past Python's buffer. Invalid UTF-8 arrives as
            # surrogates in ``stdin``.
            given.write(stdin.encode(errors="surrogateescape"))
            given.seek(0)
            out, err = _stream(io.BytesIO()), _stream(io.BytesIO())
            streams = {"stdin": _stream(given), "stdout": out, "stderr": err}
            with _replaced({"argv": ["sixgate", *words], **streams}, environment):
                code = run()
            streams["stdin"].detach()
        return Ended(code, _written(out), _written(err))


@contextmanager
def _replaced(streams: dict[str, Any], environment: dict[str, str]) -> Iterator[None]:
    kept, variables = {name: getattr(sys, name) for name in streams}, dict(os.environ)
    try:
        for name, value in streams.items():
            setattr(sys, name, value)
        os.environ.clear()
        os.environ.update(environment)
        yield
    finally:
        for name, value in kept.items():
            setattr(sys, name, value)
        os.environ.clear()
        os.environ.update(variables)


def _stream(raw: IO[bytes]) -> io.TextIOWrapper:
    return io.TextIOWrapper(raw, encoding="utf-8", errors="replace")


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()


@contextmanager
def served(cli: CommandLine) -> Iterator[InProcess]:
    """Run the folder's node in another process during the block; it must end cleanly."""
    running = cli.up()
    try:
        yield InProcess(cli.folder)
    finally:
        assert stopped(running, signal.SIGTERM) == 0


def stopped(running: "subprocess.Popen[str]", number: int) -> int:
    """Send a signal and return the exit code."""
    running.send_signal(number)
    try:
        running.communicate(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        running.kill()
        raise
    return running.returncode
