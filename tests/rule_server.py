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
    parents = 2 if "by crossover" in prompt else 1 if "by mutation" in prompt else 0
    drawn = random.Random(hashlib.sha256(prompt.encode()).digest())
    members = range(len(re.findall(r"^\d+ \S+ \[", prompt, re.M)))
    made = [[round(drawn.uniform(low, high), 3) for _ in range(units)] for _ in range(wanted)]
    if not parents:
        return made
    chosen = [drawn.sample(members, parents) for _ in made]
    return [{"parents": who, "rates": rates} for who, rates in zip(chosen, made, strict=True)]


def other_rates(change):
    return lambda made: [
        {**one, "rates": change(one["rates"])} if isinstance(one, dict) else change(one) for one in made
    ]


# What a fault makes of the candidates, and of the text that holds them.
CHANGES = {
    "short": other_rates(lambda rates: rates[:-1]),
    "range": other_rates(lambda rates: [*rates[:-1], 0.9]),
    "percent": other_rates(lambda rates: [100 * rate for rate in rates]),
    "nan": other_rates(lambda rates: [*rates[:-1], float("nan")]),
    "text": other_rates(lambda rates: [*rates[:-1], "0.2"]),
    "no parents": lambda made: [one["rates"] for one in made],
    "false parents": lambda made: [{**one, "parents": [99] * len(one["parents"])} for one in made],
    "repeat": lambda made: [made[0]] * len(made),
    "fewer": lambda made: made[:-2],
    "more": lambda made: made + CHANGES["range"](made[:2]),
}
TEXTS = {
    "prose": "<think>[1, 2] or [[9, 9]]?</think> Parents [0, 1] are good. Here:\n{}\nGood luck [x]!".format,
    "fence": lambda text: f"```json\n{json.dumps(json.loads(text), indent=1)}\n```",
    "refusal": lambda text: "I cannot help with that.",
    "cut": lambda text: text[: len(text) // 2],
}


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
        elif fault == "half":
            self._send(200, b'{"choices": [', length=1000)
        elif fault and (status := STATUS.fullmatch(fault)):
            echo = json.dumps({"error": {"message": f"no. You sent {key}"}}).encode()
            self._send(int(status[1]), echo, {"Retry-After": status[2]} if status[2] else {})
        elif fault == "no json":
            self._send(200, b"<html>Welcome</html>")
        elif fault == "no choices":
            self._send(200, json.dumps({"object": "list", "you sent": key}).encode())
        elif fault != "close":
            self._send(200, json.dumps(self._answer(body, key, fault)).encode())

    def _answer(self, body, key, fault):
        made = CHANGES.get(fault, list)(candidates(body["messages"][-1]["content"]))
        text = TEXTS.get(fault, str)(json.dumps(made))
        text = f"Your key is {key}. {text}" if fault == "echo" else text
        finish = "length" if fault == "cut" else "stop"
        return {
            "model": f"{body['model']}-0",
            "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }

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
