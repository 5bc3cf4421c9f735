#!/usr/bin/env bash
# Generate the passwords of docker-compose.yml in .env, readable only by you. Never overwrites .env.
set -euo pipefail
umask 077
cd "$(dirname "$0")/.."
if [ -e .env ]; then
  echo ".env exists: remove it first to generate new passwords." >&2
  exit 1
fi
mkdir -p sixgate-heads
draft=$(mktemp .env.XXXXXX)
trap 'rm -f "$draft"' EXIT
drawn() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }
{
  echo "SIXGATE_USER=$(id -u):$(id -g)"
  for role in WRITER READER DDL; do
    password=$(drawn)
    echo "SIXGATE_LEDGER_${role}_PASSWORD=$password"
    echo "SIXGATE_LEDGER_${role}_SHA256=$(printf '%s' "$password" | sha256sum | cut -d' ' -f1)"
  done
  echo "GRAFANA_ADMIN_PASSWORD=$(drawn)"
} > "$draft"
mv "$draft" .env
