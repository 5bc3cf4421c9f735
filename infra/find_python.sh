#!/usr/bin/env bash
# Print the path of a Python 3.11 or 3.12 with venv, or one sentence that says what to install.
set -u
for name in python3.12 python3.11 python3 python; do
  found=$(command -v "$name") || continue
  "$found" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
    2>/dev/null && { echo "$found"; exit 0; }
done
echo "Sixgate needs Python 3.11 or 3.12 with its venv module: install it (Debian: python3.11-venv) and retry." >&2
exit 1
