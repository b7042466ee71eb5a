"""A server of the chat protocol that answers by simple rules, and misbehaves where its script says so.

No language model: it reads number of units, bounds and population out of the prompt and answers with random candidates,
the same for the same prompt. ``python rule_server.py FAULTS LOG [PORT]`` prints its port. FAULTS is a JSON object of
request number (from 0) or "all" to fault; a line of LOG is a request: path, key, body.
"""

import hashlib
import json
import random
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

FAULTS, LOG = json.loads(sys.argv[1]), sys.argv[2]
NUMBERS = count()
HANG_SECONDS = 1.5
STATUS = re.compile(r"(\d{3})(?: after (\S+))?")


def candidates(prompt):
    """Random candidates as the prompt asks for them."""
    units = int(re.search(r"list of (\d+) pruning rates", prompt)[1])
    low, high = map(float, re.search(r"lies between (\S+) and (\S+)\.\n", prompt).groups())
    wanted = int(re.findall(r"(?:Write|Make) (\d+) candidates", prompt)[-1])
    kind = "cross" if "by crossover" in prompt else "mutate" if "by mutation" in prompt else "first"
    drawn = random.Random(hashlib.sha256(prompt.encode()).digest())
    members = len(re.findall(r"^\d+ \S+ \[", prompt, re.M))
    made = [[round(drawn.uniform(low, high), 3) for _ in range(units)] for _ in range(wanted)]
    if kind == "first":
        return made
    parents = [drawn.sample(range(members), 2 if kind == "cross" else 1) for _ in made]
    return [{"parents": who, "rates": rates} for who, rates in zip(parents, made, strict=True)]


def changed(made, change):
    """All candidates with other rates, or the first with other parents."""
    if change == "no parents":
        return [one["rates"] if isinstance(one, dict) else one for one in made]
    if change == "false parents":
        return [{**one, "parents": [99] * len(one["parents"])} if isinstance(one, dict) else one for one in made]
    new = {
        "short": lambda rates: rates[:-1],
        "range": lambda rates: [*rates[:-1], 0.9],
        "percent": lambda rates: [100 * rate for rate in rates],
        "nan": lambda rates: [*rates[:-1], float("nan")],
        "text": lambda rates: [*rates[:-1], "0.2"],
    }[change]
    return [{**one, "rates": new(one["rates"])} if isinstance(one, dict) else new(one) for one in made]


def text_of(made, fault):
    if fault == "prose":
        return f"<think>[1, 2] or [[9, 9]]?</think> Parents [0, 1] are good. Here:\n{json.dumps(made)}\nGood luck [x]!"
    if fault == "fence":
        return f"```json\n{json.dumps(made, indent=1)}\n```"
    if fault == "refusal":
        return "I cannot help with that."
    if fault == "cut":
        return json.dumps(made)[: len(json.dumps(made)) // 2]
    if fault == "repeat":
        return json.dumps([made[0]] * len(made))
    if fault == "fewer":
        return json.dumps(made[:-2])
    if fault == "more":
        return json.dumps(made + changed(made[:2], "range"))
    if fault in ("short", "range", "percent", "nan", "text", "no parents", "false parents"):
        return json.dumps(changed(made, fault))
    return json.dumps(made)


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):  # noqa: N802 - the library's name
        number = next(NUMBERS)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers.get("Authorization")
        with open(LOG, "a") as handle:  # noqa: PTH123 - as short as it gets
            handle.write(json.dumps({"path": self.path, "key": key, "body": body}) + "\n")
        fault = FAULTS.get(str(number), FAULTS.get("all"))
        if fault == "hang":
            time.sleep(HANG_SECONDS)
            return
        if fault == "close":
            return
        if fault == "half":
            self._send(200, b'{"choices": [', length=1000)
            return
        if fault and (status := STATUS.fullmatch(fault)):
            echo = json.dumps({"error": {"message": f"no. You sent {key}"}}).encode()
            self._send(int(status[1]), echo, {"Retry-After": status[2]} if status[2] else {})
            return
        if fault == "no json":
            self._send(200, b"<html>Welcome</html>")
            return
        if fault == "no choices":
            self._send(200, json.dumps({"object": "list", "you sent": key}).encode())
            return
        text = text_of(candidates(body["messages"][-1]["content"]), fault)
        if fault == "echo":
            text = f"Your key is {key}. {text}"
        finish = "length" if fault == "cut" else "stop"
        answer = {
            "model": f"{body['model']}-0",
            "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
        self._send(200, json.dumps(answer).encode())

    def _send(self, status, content, headers=None, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3]) if len(sys.argv) > 3 else 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
