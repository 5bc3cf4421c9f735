"""A proxy for a folder's socket that drops the responses to ``submit``; the node executes them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    with link, link.makefile("rb") as lines, socket.socket(socket.AF_UNIX) as onward:
        request = lines.readline()
        if not request:
            return
        onward.connect(str(real))
        onward.sendall(request)
        with onward.makefile("rb") as answers:
            if b'"method":"submit"' in request:
                answers.readline()
                lost.set()
                lines.read()  # until the client closes the connection
                return
            for answer in answers:
                link.sendall(answer)
