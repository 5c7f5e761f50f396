#!/usr/bin/env python3
"""Recognizes images with edgelens: at once, or queued with --queue. Needs nothing but Python 3.9.

    python3 recognize.py cat.jpg dog.jpg
    EDGELENS_SERVER=http://192.168.1.20:8080 EDGELENS_KEY=elk_... python3 recognize.py --queue *.jpg
"""

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request


class Client:
    """Calls one service. A busy one is asked again, when it asks for it."""

    def __init__(self, server, key="", tries=5):
        self.server, self.key, self.tries = server.rstrip("/"), key, tries

    def call(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if self.key:
            headers["Authorization"] = "Bearer " + self.key
        for attempt in range(1, self.tries + 1):
            request = urllib.request.Request(self.server + path, data=body, headers=headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                problem = error.read()
                if error.code in (429, 503) and attempt < self.tries:
                    time.sleep(min(30, int(error.headers.get("Retry-After", "1"))))
                    continue
                raise RuntimeError(sentence(problem, error.code)) from None

    def recognize(self, image):
        """Returns the answer for the bytes of an image."""
        return self.call("POST", "/api/recognize", image, {"Content-Type": "application/octet-stream"})

    def submit(self, image, idempotency_key):
        """Queues an image and returns the URL of its job. The same key gives the same job."""
        headers = {"Content-Type": "application/octet-stream", "Idempotency-Key": idempotency_key}
        return self.call("POST", "/api/recognize_async", image, headers)["status_url"]

    def wait(self, status_url):
        """Waits for the end of a job and returns its result."""
        while True:
            job = self.call("GET", status_url + "?wait=30s")
            if job["status"] == "succeeded":
                return job["result"]
            if job["status"] not in ("queued", "running"):
                raise RuntimeError(f"the job is {job['status']}: {job.get('error', {}).get('detail', '')}")


def sentence(problem, status):
    """Returns what a problem (RFC 9457) describes."""
    try:
        return json.loads(problem)["detail"]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}"


def main():
    parser = argparse.ArgumentParser(description="Recognize images with edgelens.")
    parser.add_argument("--server", default=os.environ.get("EDGELENS_SERVER", "http://127.0.0.1:8080"))
    parser.add_argument("--queue", action="store_true", help="queue the images, then wait for them")
    parser.add_argument("images", nargs="+")
    options = parser.parse_args()
    client, jobs, failed = Client(options.server, os.environ.get("EDGELENS_KEY", "")), [], False
    for path in options.images:
        try:
            with open(path, "rb") as file:
                image = file.read()
            if options.queue:
                jobs.append((path, client.submit(image, f"{os.path.basename(path)}-{len(image)}")))
            else:
                show(path, client.recognize(image))
        except (OSError, RuntimeError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            failed = True
    for path, job in jobs:
        try:
            show(path, client.wait(job))
        except RuntimeError as error:
            print(f"{path}: {error}", file=sys.stderr)
            failed = True
    sys.exit(1 if failed else 0)


def show(path, answer):
    best = answer["predictions"][0] if answer["predictions"] else {"label": "nothing", "probability": 0}
    print(f"{path}\t{best['label']}\t{best['probability']:.2f}")


if __name__ == "__main__":
    main()
