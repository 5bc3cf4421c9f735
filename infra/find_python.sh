#!/usr/bin/env bash
# Print a Python 3.11 or 3.12 that can make environments, or say in one sentence what is missing.
set -u
for name in python3.12 python3.11 python3 python; do
  found=$(command -v "$name") || continue
  "$found" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
    2>/dev/null && { echo "$found"; exit 0; }
done
echo "Sixgate needs Python 3.11 or 3.12 with its venv module: install it (Debian: python3.11-venv) and run make again." >&2
exit 1
