"""A provider that holds one share of every data key, asked beside the others.

How long a call may take is the adapter's to bound, as ``RootKms`` promises, and nobody else's. Each
piece of work has a thread to itself, so one provider that hangs keeps nobody else waiting.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from signer.custody.buffers import wipe
from signer.custody.context import SERVER
from signer.custody.errors import (
    CorruptError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsKeyWeakError,
    KmsUnavailableError,
)
from signer.custody.failures import Cause, ProviderFailure
from signer.custody.kms.port import RootKms
from signer.custody.thread_pool import run_in_thread

Work: TypeAlias = Callable[[RootKms], bytes | bytearray]
Report: TypeAlias = Callable[[ProviderFailure], None]
_CAUSES = {
    KmsUnavailableError: Cause.UNAVAILABLE,
    KmsDeniedError: Cause.DENIED,
    KmsKeyDisabledError: Cause.KEY_DISABLED,
    KmsKeyNotFoundError: Cause.KEY_NOT_FOUND,
    KmsKeyWeakError: Cause.KEY_WEAK,
    CorruptError: Cause.CORRUPT,
}


class Provider:
    """A root key under the name that vaults know it by.

    ``report`` is told, from a thread of this provider, when it fails after nobody waited for it any
    more.
    """

    __slots__ = ("_report", "kms", "name")

    def __init__(self, name: str, kms: RootKms, report: Report) -> None:
        if name == SERVER:
            raise ValueError(f"A provider cannot be named {SERVER}: that holder is no provider.")
        self.name = name
        self.kms = kms
        self._report = report

    def start(self, work: Work) -> "Future[bytes | bytearray]":
        """Start work with the KMS; what it raises is raised by the future's ``result``."""
        future: Future[bytes | bytearray] = Future()
        try:
            run_in_thread(partial(_work, work, self.kms, future))
        except RuntimeError:  # the system has no thread left
            future.set_exception(KmsUnavailableError(f"No thread is left to ask {self.name}."))
        return future

    def abandon(self, future: "Future[bytes | bytearray]") -> None:
        """Wait for work no more; what it still brings is wiped, how it fails is reported."""
        future.add_done_callback(self._drop)

    def _drop(self, future: "Future[bytes | bytearray]") -> None:
        cause = _cause(future)
        if cause is not None:
            self._report(ProviderFailure(self.name, cause))
        elif isinstance(content := future.result(), bytearray):
            wipe(content)

    def __repr__(self) -> str:
        return f"<Provider {self.name}>"


def _work(work: Work, kms: RootKms, future: "Future[bytes | bytearray]") -> None:
    try:
        future.set_result(work(kms))
    except Exception as error:  # noqa: BLE001 - told by the future
        future.set_exception(error)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered, at the place at which it was asked; empty if it failed."""

    place: int
    content: bytes | bytearray = field(repr=False)
    failure: ProviderFailure | None = None

    def buffer(self) -> bytearray:
        """Return the content as a buffer to wipe: the KMS's own, where it gave one."""
        return self.content if isinstance(self.content, bytearray) else bytearray(self.content)


@contextmanager
def ask_all(calls: Sequence[tuple[Provider, Work]]) -> Iterator[Iterator[Answer]]:
    """Ask all providers at once and lend their answers in the order in which they come.

    At the end nobody waits for those that have not answered.
    """
    with closing(_answers(calls)) as answers:
        yield answers


def _answers(calls: Sequence[tuple[Provider, Work]]) -> Generator[Answer, None, None]:
    waiting = {provider.start(work): place for place, (provider, work) in enumerate(calls)}
    try:
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                place = waiting.pop(future)
                yield _answer(place, calls[place][0], future)
    finally:
        for future, place in waiting.items():
            calls[place][0].abandon(future)


def _answer(place: int, provider: Provider, future: "Future[bytes | bytearray]") -> Answer:
    cause = _cause(future)
    if cause is not None:
        return Answer(place, b"", ProviderFailure(provider.name, cause))
    return Answer(place, future.result())


def _cause(future: "Future[bytes | bytearray]") -> Cause | None:
    """Return why work that has ended gave nothing, or None if it gave something."""
    error = future.exception()
    if error is None:
        return None
    return next((cause for kind, cause in _CAUSES.items() if isinstance(error, kind)), Cause.FAULT)
