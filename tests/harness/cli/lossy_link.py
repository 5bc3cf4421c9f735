"""A proxy for a folder's socket that drops the responses to ``submit``; the node executes them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUBMIT = b"POST /v1/operator/intents "


@contextmanager
def losing_answers(folder: Path) -> Iterator[threading.Event]:
    """Proxy the node's socket; the event is set when the first response was dropped."""
    known, real = folder / "sixgate.sock", folder / "real.sock"
    known.rename(real)
    lost = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(known))
        listener.listen()
        threading.Thread(target=_serve, args=(listener, real, lost), daemon=True).start()
        try:
            yield lost
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            real.rename(known)


def _serve(listener: socket.socket, real: Path, lost: threading.Event) -> None:
    while True:
        try:
            link, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_carry, args=(link, real, lost), daemon=True).start()


def _carry(link: socket.socket, real: Path, lost: threading.Event) -> None:
    with link, link.makefile("rb") as asked, socket.socket(socket.AF_UNIX) as onward:
        head = list(iter(asked.readline, b"\r\n"))
        lengths = [line for line in head if line.lower().startswith(b"content-length:")]
        body = asked.read(sum(int(line.split(b":")[1]) for line in lengths))
        onward.connect(str(real))
        onward.sendall(b"".join([*head, b"\r\n", body]))
        if head[0].startswith(SUBMIT):
            with onward.makefile("rb") as answer:
                next(line for line in answer if b'"accepted"' in line)
            lost.set()
            asked.read()  # until the client closes the connection
            return
        while part := onward.recv(65_536):
            link.sendall(part)
