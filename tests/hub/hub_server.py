"""A stand-in of the hub's HTTP API: what its client sends when a folder is uploaded, kept in memory."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_good"
_MODEL = r"/api/models/([\w-]+/[\w.-]+)"


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Hub(ThreadingHTTPServer):
    """``repos``: by name their ``private`` and the ``files`` of each branch; ``log``: method and path of requests."""

    def __init__(self, large=False):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos, self.stored, self.log, self.commits = {}, {}, [], []
        self.large = large  # whether weights go the way of large files
        self.fault = None  # status that commits are answered with
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def add(self, name, private=False, **files):
        self.repos[name] = {"private": private, "branches": {"main": dict(files)}}

    def files(self, name, branch="main"):
        return self.repos[name]["branches"][branch]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.dispatch()

    def do_POST(self):
        self.dispatch()

    def do_PUT(self):
        self.dispatch()

    def dispatch(self):
        hub, path = self.server, self.path.partition("?")[0]
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        hub.log.append((self.command, path))
        if path.startswith("/stored/"):
            hub.stored[path.rpartition("/")[2]] = self.body
            return self.answer({})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer({"error": "Invalid credentials in Authorization header"}, 401)
        for pattern, method in ROUTES:
            match = re.fullmatch(pattern, path)
            if match:
                return method(self, *match.groups())
        return self.answer({"error": f"no {path}"}, 404)

    def answer(self, value, status=200):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def create(self):
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        url = {"url": f"{self.server.url}/{name}"}
        if asked["organization"] == "others":
            return self.answer({"error": "You don't have the rights"}, 403)
        if name in self.server.repos:
            return self.answer(url | {"error": "You already created this model repo"}, 409)
        self.server.add(name, asked.get("visibility") == "private")
        return self.answer(url)

    def info(self, name, branch=None):
        if name not in self.server.repos:
            return self.answer({"error": "Repository not found"}, 404)
        repo = self.server.repos[name]
        files = repo["branches"][branch or "main"]
        sha = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        return self.answer({"id": name, "sha": sha, "private": repo["private"]})

    def tree(self, name, branch):
        files = self.server.files(name, branch).items()
        told = [{"type": "file", "path": path, "size": len(data), "oid": git_oid(data)} for path, data in files]
        return self.answer(told)

    def branch(self, name, branch):
        branches = self.server.repos[name]["branches"]
        if branch in branches:
            return self.answer({"error": "exists"}, 409)
        branches[branch] = {}
        return self.answer({})

    def preupload(self, name, branch):
        told, there = [], self.server.files(name, branch)
        for file in json.loads(self.body)["files"]:
            path = file["path"]
            large = self.server.large and path.endswith(".safetensors")
            content = there.get(path)
            oid = hashlib.sha256(content or b"").hexdigest() if large else git_oid(content or b"")
            told.append({"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False})
            told[-1] |= {} if content is None else {"oid": oid}
        return self.answer({"files": told})

    def batch(self):
        objects = [
            {"oid": one["oid"], "size": one["size"]}
            | (
                {}
                if one["oid"] in self.server.stored
                else {"actions": {"upload": {"href": f"{self.server.url}/stored/{one['oid']}"}}}
            )
            for one in json.loads(self.body)["objects"]
        ]
        return self.answer({"transfer": "basic", "objects": objects})

    def commit(self, name, branch):
        if self.server.fault:
            return self.answer({"error": f"told to fail, {self.headers['Authorization']}"}, self.server.fault)
        files = self.server.files(name, branch)
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                self.server.commits.append((branch, value["summary"]))
            elif item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.server.stored[value["oid"]]
            elif item["key"] == "deletedFile":
                del files[value["path"]]
        return self.answer({"commitUrl": f"{self.server.url}/{name}/commit/1", "commitOid": "1" * 40})


ROUTES = (
    (r"/api/repos/create", _Handler.create),
    (r"/api/validate-yaml", lambda self: self.answer({})),
    (_MODEL, _Handler.info),
    (rf"{_MODEL}/revision/([\w-]+)", _Handler.info),
    (rf"{_MODEL}/tree/([\w-]+)", _Handler.tree),
    (rf"{_MODEL}/branch/([\w-]+)", _Handler.branch),
    (rf"{_MODEL}/preupload/([\w-]+)", _Handler.preupload),
    (rf"{_MODEL}/commit/([\w-]+)", _Handler.commit),
    (r"/[\w-]+/[\w.-]+\.git/info/lfs/objects/batch", _Handler.batch),
)
