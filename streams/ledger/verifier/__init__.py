"""A second, independent verifier of the ledger, made from docs/format.md alone.

This folder imports nothing of Sixgate, only orjson, and cryptography where signatures are checked;
it may be copied and run anywhere. It reads rows from any source once, in order, and keeps about
200 bytes per outcome in memory.

    python -m streams.ledger.verifier ledger.jsonl --head heads.jsonl --ledger-key 0x… --signer 0x…

Exit code 0: everything holds. 1: the first bad row is named. 2: the input could not be read.
3: the chain holds, but somebody put outcomes on the log that none of the signers made.
"""

from .checks import Report, verify
from .format import Row, VerificationError
from .reading import read_heads, read_rows

__all__ = ["Report", "Row", "VerificationError", "read_heads", "read_rows", "verify"]
