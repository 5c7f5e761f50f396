#!/usr/bin/env python3
"""Receives the webhook of edgelens and verifies its signatures (https://www.standardwebhooks.com).

    WEBHOOK_SECRET=whsec_... python3 webhook.py 9000
    edgelens serve --webhook-url http://127.0.0.1:9000/ --webhook-secret "$WEBHOOK_SECRET"
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import sys
import time

TOLERANCE = 300  # seconds that the clocks may differ by
MAX_BODY = 8 << 20


def verified(secret, headers, body, now=None):
    """Reports whether a message is from someone with the secret, and is new."""
    identity, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs((now or time.time()) - int(stamp)) > TOLERANCE:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.new(key, f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest())
    signatures = [s[3:] for s in headers.get("webhook-signature", "").split(" ") if s.startswith("v1,")]
    return any(hmac.compare_digest(wanted, s.encode()) for s in signatures)


class Receiver(http.server.BaseHTTPRequestHandler):
    seen = {}  # ids of messages: one may be delivered twice

    def do_POST(self):
        length = int(self.headers.get("Content-Length", "0"))
        if length > MAX_BODY:
            return self.answer(413)
        body = self.rfile.read(length)
        if not verified(os.environ["WEBHOOK_SECRET"], self.headers, body):
            return self.answer(401)
        if self.headers["webhook-id"] not in self.seen:
            self.seen[self.headers["webhook-id"]] = time.time()
            record = json.loads(body)
            print(f"verified: {record.get('name') or record.get('type') or 'a record'}", flush=True)
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
