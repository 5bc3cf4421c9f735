"""The signer as operators run it, with a watch on its event loop.

python -m benchmarks.kafka.watched CONFIG FILE

FILE gets the longest time that the loop was kept from its other work once the signer was ready, as
far as the process itself used the CPU meanwhile: on a machine that is full, waiting for the machine
is not blocking.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from sixgate.gc_tuning import tune
from sixgate.scaled.monitor import Monitor
from sixgate.scaled.process import Process, run_process
from sixgate.scaled.settings import load_settings
from sixgate.scaled.signer_process import SignerProcess

LOOK_S = 0.002


class Watched:
    """A process and how long its loop was blocked at most, in seconds."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.blocked_s_max = 0.0

    @property
    def monitor(self) -> Monitor:
        return self._process.monitor

    async def run(self, stop: asyncio.Event) -> None:
        watching = asyncio.create_task(self._watch())
        try:
            await self._process.run(stop)
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        while True:
            due_s, used_s = time.monotonic() + LOOK_S, time.process_time()
            await asyncio.sleep(LOOK_S)
            late_s, busy_s = time.monotonic() - due_s, time.process_time() - used_s
            if self.monitor.is_ready():
                self.blocked_s_max = max(self.blocked_s_max, min(late_s, busy_s))


def main(config: str, file: str) -> None:
    """Run until SIGTERM, then write what was seen."""
    tune()
    settings = load_settings(Path(config))
    watched = Watched(SignerProcess(settings))
    run_process(watched, settings)
    Path(file).write_text(json.dumps({"ms_max": watched.blocked_s_max * 1000}))


if __name__ == "__main__":
    main(*sys.argv[1:])
