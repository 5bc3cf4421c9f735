"""Stand-alone verifier of the ledger, an independent implementation of docs/format.md.

This folder imports nothing of Sixgate, only orjson, and cryptography if signatures are checked, so
it can be copied and run anywhere. It reads rows once, in order, from any source, and keeps about
200 bytes per outcome in memory.

    python -m streams.ledger.verifier ledger.jsonl --head heads.jsonl --ledger-key 0x… --signer 0x…

Exit codes: 0 the ledger is valid; 1 it is not, and the first bad row is named; 2 the input could
not be read; 3 the chain is valid, but it contains outcomes without a valid signature of a signer.
"""

from .checks import Report, verify
from .format import Row, VerificationError
from .reading import read_heads, read_rows

__all__ = ["Report", "Row", "VerificationError", "read_heads", "read_rows", "verify"]
