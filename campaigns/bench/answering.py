"""People who answer, one by one: `python -m campaigns.bench.answering '{"port": …, "path": …, "people": …}'`."""

from __future__ import annotations

import json
import sys
import time
import uuid
from http.client import HTTPConnection


def answer_all(port: int, path: str, people: int, rate: float = 5.0) -> None:
    """Each of the people that `roles.fill_answerable` makes writes one word."""
    line, began = HTTPConnection("127.0.0.1", port, timeout=30), time.monotonic()
    for n in range(1, people + 1):
        time.sleep(max(0.0, began + n / rate - time.monotonic()))
        phone, now = f"3363{n:08d}", int(time.time() * 1000)
        payload = {"id": f"wamid.{uuid.uuid4().hex}", "source": phone, "type": "text", "payload": {"text": "Oui"}}
        payload |= {"sender": {"phone": phone, "name": "Awa"}}
        body = {"app": "DemoCampagnes", "timestamp": now, "version": 2, "type": "message", "payload": payload}
        line.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = line.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"an answer was not kept: {response.status}")


if __name__ == "__main__":
    answer_all(**json.loads(sys.argv[1]))
