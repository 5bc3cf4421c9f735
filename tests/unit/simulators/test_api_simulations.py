"""Simulations for the API: few calls wait for the worker, and the others are refused at once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from sixgate.api_error import ApiError
from sixgate.backends.simulations import ASKED_MAX, Simulations
from tests.harness.builders.waiting import until

EXTRA = 4


def test_a_flood_of_simulations_does_not_take_every_thread(tmp_path: Path) -> None:
    """Each waits in a thread of the server, so one agent could keep people from revoking it."""
    with (
        closing(Simulations(tmp_path)) as simulations,
        ThreadPoolExecutor(ASKED_MAX + EXTRA) as pool,
    ):
        with simulations._lock:  # noqa: SLF001 - another simulation runs
            asked = [pool.submit(simulations.run, []) for _ in range(ASKED_MAX + EXTRA)]
            until(lambda: sum(one.done() for one in asked) == EXTRA)
            refused = [one.exception() for one in asked if one.done()]
        assert all(isinstance(one, ApiError) and one.code == "simulator_busy" for one in refused)
        assert [one.result() for one in asked if not one.exception()] == [[]] * ASKED_MAX
