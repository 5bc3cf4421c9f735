"""Options of the intents and agents in tests of commands."""

from typing import Any

TO = "0x742d35Cc6634C0532925a3b844Bc454e4438f44e"
INTENT: dict[str, Any] = {"agent": "payroll", "chain": "base", "to": TO, "value": "0.5"}

_WIDE = "--max-value-eth 1 --daily-limit-eth 20 --allow-to any --chains ethereum,base"
WIDE = f"{_WIDE} --rate 6000".split()
"""Options of an agent whose limits most intents pass."""

NARROW = f"--max-value-eth 1.50 --daily-limit-eth 5 --allow-to {TO} --chains eth,zora".split()
"""Options of an agent that may pay one address only."""
