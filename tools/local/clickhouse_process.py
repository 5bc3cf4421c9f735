"""The ClickHouse server's process: the library's own ``clickhouse-local`` with its HTTP handlers.

python -m tools.local.clickhouse_process LIBRARY ARGUMENTS...
"""

import ctypes
import sys

LISTEN = """
SYSTEM START LISTEN HTTP;
SELECT sleepEachRow(1) FROM numbers(100000000)
SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0, max_execution_time = 0
FORMAT Null
"""


def main(library: str, *arguments: str) -> None:
    """Serve until the process is ended."""
    argv = [b"clickhouse-local", *(argument.encode() for argument in arguments)]
    run = ctypes.CDLL(library).query_stable_v2
    run.restype = ctypes.c_void_p
    run(len(argv), (ctypes.c_char_p * len(argv))(*argv))


if __name__ == "__main__":
    main(*sys.argv[1:])
