#!/usr/bin/env bash
# Signs a request and sends it, with openssl and curl: sign-request.sh <method> <url> [body]
# API_KEY and SIGNING_SECRET are read from the environment, and IDEMPOTENCY_KEY if it is there. While openssl runs, other
# users of the machine can see its arguments, the secret among them: for a machine of your own.
set -euo pipefail

method=$1
url=${2%%#*}
body=${3-}
idempotency_key=${IDEMPOTENCY_KEY-}

rest=${url#*://}
case $rest in
  */*) target=/${rest#*/} ;;
  *) target=/ ;;
esac
timestamp=$(date +%s)
nonce=$(openssl rand -hex 16)
body_hash=$(printf '%s' "$body" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
signature=$(
  printf 'v1\n%s\n%s\n%s\n%s\n%s\n%s' "$timestamp" "$nonce" "$method" "$target" "$idempotency_key" "$body_hash" |
    openssl dgst -sha256 -hmac "$SIGNING_SECRET" -r | cut -d ' ' -f 1
)

others=()
if [ -n "$idempotency_key" ]; then others+=(-H "Idempotency-Key: $idempotency_key"); fi
if [ -n "$body" ]; then others+=(-H 'Content-Type: application/json' --data-binary @-); fi

# URL and body go out as they are, and the key over a pipe, where nobody sees it.
answer=$(
  printf '%s' "$body" | curl -sS --globoff --path-as-is -X "$method" "$url" -w '\n%{http_code}' \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "$API_KEY") \
    -H "X-Signature-Timestamp: $timestamp" -H "X-Signature-Nonce: $nonce" -H "X-Signature: v1=$signature" "${others[@]}"
)
printf '%s\n%s\n' "${answer##*$'\n'}" "${answer%$'\n'*}"
