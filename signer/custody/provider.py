"""Providers, which hold one share of every data key and are asked concurrently.

The adapter bounds the time of a call, as ``RootKms`` promises; there is no timeout here. Each call
runs in its own thread, so a provider that hangs does not delay the others.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from schemas.registry.custody import SERVER
from signer.custody.buffers import wipe
from signer.custody.errors import (
    Cause,
    CorruptError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsKeyWeakError,
    KmsUnavailableError,
    ProviderFailure,
)
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
    """A root key under the provider name that vaults use.

    If a call fails after it was abandoned, ``report`` is called with the failure, in the thread of
    that call.
    """

    __slots__ = ("_report", "kms", "name")

    def __init__(self, name: str, kms: RootKms, report: Report) -> None:
        if name == SERVER:
            raise ValueError(f'"{SERVER}" is reserved and cannot be a provider name.')
        self.name = name
        self.kms = kms
        self._report = report

    def start(self, work: Work) -> "Future[bytes | bytearray]":
        """Start work with the KMS; the future's ``result`` raises what the work raises."""
        future: Future[bytes | bytearray] = Future()
        try:
            run_in_thread(partial(_work, work, self.kms, future))
        except RuntimeError:  # the system has no thread left
            future.set_exception(
                KmsUnavailableError(f"The system has no thread left for a call to {self.name}.")
            )
        return future

    def abandon(self, future: "Future[bytes | bytearray]") -> None:
        """Stop waiting for work: wipe a late result, report a late failure."""
        future.add_done_callback(self._discard)

    def _discard(self, future: "Future[bytes | bytearray]") -> None:
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
    except Exception as error:  # noqa: BLE001 - the future raises it
        future.set_exception(error)


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer, empty if it failed; ``index`` is the position of its call."""

    index: int
    content: bytes | bytearray = field(repr=False)
    failure: ProviderFailure | None = None

    def buffer(self) -> bytearray:
        """Return the content as a buffer to wipe; the KMS's own buffer if it returned one."""
        return self.content if isinstance(self.content, bytearray) else bytearray(self.content)


@contextmanager
def ask_all(calls: Sequence[tuple[Provider, Work]]) -> Iterator[Iterator[Answer]]:
    """Ask all providers concurrently and yield their answers in order of arrival.

    Calls that have not answered when the block ends are abandoned.
    """
    with closing(_answers(calls)) as answers:
        yield answers


def _answers(calls: Sequence[tuple[Provider, Work]]) -> Generator[Answer, None, None]:
    waiting = {provider.start(work): index for index, (provider, work) in enumerate(calls)}
    try:
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                index = waiting.pop(future)
                yield _answer(index, calls[index][0], future)
    finally:
        for future, index in waiting.items():
            calls[index][0].abandon(future)


def _answer(index: int, provider: Provider, future: "Future[bytes | bytearray]") -> Answer:
    cause = _cause(future)
    if cause is not None:
        return Answer(index, b"", ProviderFailure(provider.name, cause))
    return Answer(index, future.result())


def _cause(future: "Future[bytes | bytearray]") -> Cause | None:
    """Return why finished work failed; None if it succeeded."""
    error = future.exception()
    if error is None:
        return None
    return next((cause for kind, cause in _CAUSES.items() if isinstance(error, kind)), Cause.FAULT)
