#!/bin/sh
# Writes the file of secrets that docker-compose.yml reads: .env in the project's folder, or the file that is named.
# All are random, nobody but you may read the file (mode 0600), and a file that exists is never overwritten: it holds the
# only key to what is stored already.
set -eu
umask 077
file=${1:-"$(dirname "$0")/../.env"}

hex() { od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }
key() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }

if [ -e "$file" ]; then
  echo "$file exists already and stays as it is. To start anew: docker compose down --volumes, then remove the file." >&2
  exit 1
fi
set -C # should another one write it in this moment, it fails here
cat >"$file" <<EOF
# Secrets of docker-compose.yml. Keep a copy in a safe place: without the keys, what is stored cannot be read.
POSTGRES_PASSWORD=$(hex 24)
PAYMENTS_OWNER_PASSWORD=$(hex 24)
PAYMENTS_APPLICATION_PASSWORD=$(hex 24)
TEMPORAL_DATABASE_PASSWORD=$(hex 24)
API_KEY_PEPPER=$(hex 32)
PAYLOAD_CODEC_KEYS=first:$(key)
STORED_SECRETS_KEYS=first:$(key)
TOKEN_SIGNING_KEYS=first:$(key)
EASYPAY_API_KEY=$(hex 24)
EASYPAY_WEBHOOK_SECRET=$(hex 32)
PAYPAL_CLIENT_ID=$(hex 16)
PAYPAL_CLIENT_SECRET=$(hex 24)
PAYPAL_WEBHOOK_ID=WH-$(hex 12)
EOF
echo "Wrote $file. Next: docker compose up --build --detach"
