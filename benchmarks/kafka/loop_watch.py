"""Runs the signer and measures how long its event loop is blocked.

python -m benchmarks.kafka.loop_watch CONFIG FILE

Writes the longest blocking time of the ready signer to FILE. Only CPU time of the process counts:
waiting for the CPU on a busy machine is not blocking.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import ClassVar

from sixgate.config.process_settings import load_settings
from sixgate.services.gc_tuning import tune
from sixgate.services.process import run_process
from sixgate.services.signer import SignerProcess

LOOK_S = 0.002


class WatchedSigner(SignerProcess):
    """A signer that measures how long its loop was blocked at most, in seconds."""

    blocked_s_max: ClassVar[float] = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        watching = asyncio.create_task(self._watch())
        try:
            await super().run(stop)
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        while True:
            due_s, used_s = time.monotonic() + LOOK_S, time.process_time()
            await asyncio.sleep(LOOK_S)
            late_s, busy_s = time.monotonic() - due_s, time.process_time() - used_s
            if self.monitor.is_ready():
                longest_s = max(self.blocked_s_max, min(late_s, busy_s))
                type(self).blocked_s_max = longest_s


def main(config: str, file: str) -> None:
    """Run until SIGTERM, then write the longest blocking time."""
    tune()
    run_process(WatchedSigner, load_settings(Path(config)))
    Path(file).write_text(json.dumps({"ms_max": WatchedSigner.blocked_s_max * 1000}))


if __name__ == "__main__":
    main(*sys.argv[1:])
