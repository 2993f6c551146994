"""Signs a request and sends it, with the standard library alone: python3 sign-request.py <method> <url> [body]

API_KEY and SIGNING_SECRET are read from the environment, and IDEMPOTENCY_KEY if it is there.
"""

import hashlib
import hmac
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

method, url = sys.argv[1:3]
body = os.fsencode(sys.argv[3]) if len(sys.argv) > 3 else b""
secret = os.environ["SIGNING_SECRET"].encode()
idempotency_key = os.environ.get("IDEMPOTENCY_KEY", "")

parts = urllib.parse.urlsplit(url)
target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
timestamp = str(int(time.time()))
nonce = uuid.uuid4().hex
body_hash = hashlib.sha256(body).hexdigest()
signed = "\n".join(["v1", timestamp, nonce, method, target, idempotency_key, body_hash])

request = urllib.request.Request(url, method=method, data=body or None)
request.add_header("Authorization", f"Bearer {os.environ['API_KEY']}")
request.add_header("X-Signature-Timestamp", timestamp)
request.add_header("X-Signature-Nonce", nonce)
request.add_header("X-Signature", "v1=" + hmac.new(secret, signed.encode(), hashlib.sha256).hexdigest())
if idempotency_key:
    request.add_header("Idempotency-Key", idempotency_key)
if body:
    request.add_header("Content-Type", "application/json")

try:
    response = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:  # an answer too
    response = error
print(response.status)
print(response.read().decode())
