"""How the interpreter runs a process of ours; only a process's entry calls this."""

import gc
import sys

GC_ALLOCATIONS = 50_000  # events make no cycles; looking for them often costs 6 %
SWITCH_S = 0.0005  # the pipeline's short waits must not cost it the interpreter for 5 ms


def tune() -> None:
    """Set garbage collection and thread switching for a pipeline with a ledger beside it."""
    gc.set_threshold(GC_ALLOCATIONS)
    sys.setswitchinterval(SWITCH_S)
    freeze_gc()


def freeze_gc() -> None:
    """Leave what is loaded by now out of garbage collection: it stays as long as the process does.

    Going through libraries and a slot's state keeps all threads waiting for a tenth of a second.
    Does nothing in a process that ``tune`` did not set up, such as one that runs many tests.
    """
    if gc.get_threshold()[0] == GC_ALLOCATIONS:
        gc.freeze()
