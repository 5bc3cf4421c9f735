"""A process is ready once it is loaded, and while its readiness condition holds."""

import asyncio
from urllib.error import HTTPError
from urllib.request import urlopen

from sixgate.services.monitor import Monitor, serving
from tools.local.ports import free_port


def response_of(monitor: Monitor) -> tuple[int, str, float | None]:
    """Return status and text of ``/readyz`` and the value of the metric."""

    port = free_port()

    def ask() -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
                return answer.status, answer.read().decode().strip()
        except HTTPError as error:
            return error.code, error.read().decode().strip()

    async def run() -> tuple[int, str]:
        async with serving(monitor, "127.0.0.1", port):
            return await asyncio.to_thread(ask)

    shown = monitor.registry.get_sample_value("sixgate_ready", {"process": "test"})
    return (*asyncio.run(run()), shown)


def test_it_is_ready_only_while_its_condition_holds() -> None:
    has = {"a fresh head": True}
    monitor = Monitor("test", lambda: ())
    monitor.ready_while(lambda: has["a fresh head"])
    assert response_of(monitor) == (503, "loading", 0)
    monitor.ready()
    assert response_of(monitor) == (200, "ready", 1)
    has["a fresh head"] = False
    assert response_of(monitor) == (503, "waiting", 0)
    has["a fresh head"] = True
    assert response_of(monitor) == (200, "ready", 1)
