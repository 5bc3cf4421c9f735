"""Tuning of garbage collection and thread switching. Only a process's entry point calls this."""

import gc
import sys

GC_ALLOCATIONS = 50_000  # events form no reference cycles; the default threshold costs 6 %
SWITCH_S = 0.0005  # after a short wait the pipeline would wait 5 ms (the default) for the GIL


def tune() -> None:
    """Set garbage collection and thread switching for a pipeline and a ledger in one process."""
    gc.set_threshold(GC_ALLOCATIONS)
    sys.setswitchinterval(SWITCH_S)
    freeze_gc()


def freeze_gc() -> None:
    """Exclude everything loaded so far from garbage collection: it lives as long as the process.

    A collection over the libraries and a slot's state stops all threads for a tenth of a second.
    Does nothing unless ``tune`` was called, for example in a process that runs many tests.
    """
    if gc.get_threshold()[0] == GC_ALLOCATIONS:
        gc.freeze()
