"""A server on loopback that speaks the protocol of the Hugging Face Hub, as far as models need it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]


@dataclass
class Repository:
    """Files of each commit; `revisions` are names of commits."""

    private: bool = False
    commits: dict[str, Files] = field(default_factory=dict)
    revisions: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Files) -> str:
        """Adds a commit, which is then the newest one of `main`."""
        name = hashlib.sha1(repr((len(self.commits), sorted(files.items()))).encode()).hexdigest()
        self.commits[name] = files
        self.revisions["main"] = name
        return name

    def at(self, revision: str) -> tuple[str, Files] | None:
        """The commit of a revision, and its files."""
        name = self.revisions.get(revision, revision)
        return (name, self.commits[name]) if name in self.commits else None

    @property
    def files(self) -> Files:
        """The newest."""
        return self.commits[self.revisions["main"]]


@dataclass
class Hub:
    """What the server holds, and what was asked of it."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)  # large files, by SHA-256
    tokens: dict[str, str] = field(default_factory=lambda: {"writer": "write", "reader": "read"})
    requests: list[str] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub while the block lasts."""
    hub = Hub()

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self._begin()
        match path:
            case ["api", "whoami-v2"]:
                return self._json({"name": "user", "type": "user", "orgs": []})
            case ["api", "models", user, name, *rest]:
                repository = self._repository(f"{user}/{name}")
                if repository is None:
                    return None
                if rest[:1] == ["tree"]:
                    return self._tree(repository, rest[1])
                found = repository.at("/".join(rest[1:]) or "main")
                if found is None and rest:
                    return self._error(404, "RevisionNotFound", "no such revision")
                sha, files = found or ("", {})
                siblings = [{"rfilename": each} for each in sorted(files)]
                return self._json({"id": f"{user}/{name}", "sha": sha, "siblings": siblings})
            case [user, name, "resolve", revision, *rest]:
                repository = self._repository(f"{user}/{name}")
                return None if repository is None else self._file(repository, revision, "/".join(rest))
        return self._error(404, "NotFound", "no such page")

    def do_POST(self) -> None:
        path = self._begin()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match path:
            case ["api", "validate-yaml"]:
                return self._json({"warnings": [], "errors": []})
            case ["api", "repos", "create"]:
                return self._create(json.loads(body))
            case ["api", "models", user, name, "preupload", _]:
                files = [
                    {
                        "path": each["path"],
                        "uploadMode": "lfs" if each["path"].endswith(".safetensors") else "regular",
                        "shouldIgnore": False,
                        "oid": None,
                    }
                    for each in json.loads(body)["files"]
                ]
                return self._json({"files": files})
            case [_, _, "info", "lfs", "objects", "batch"]:
                objects = [
                    {**each, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{each['oid']}"}}}
                    for each in json.loads(body)["objects"]
                ]
                return self._json({"transfer": "basic", "objects": objects})
            case ["api", "models", user, name, "commit", _]:
                return self._commit(f"{user}/{name}", body)
        return self._error(404, "NotFound", "no such page")

    def do_PUT(self) -> None:
        path = self._begin()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.hub.stored[path[-1]] = body
        self._json({})

    def _begin(self) -> list[str]:
        self.hub.requests.append(f"{self.command} {self.path}")
        return [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]

    def _rights(self) -> str:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return self.hub.tokens.get(token, "")

    def _repository(self, name: str) -> Repository | None:
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and not self._rights()):
            self._error(401, "RepoNotFound", "Repository not found")
            return None
        return repository

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked.get('organization') or 'user'}/{asked['name']}"
        if not self._rights():
            return self._error(401, "", "Invalid username or password.")
        if self._rights() != "write":
            return self._error(403, "", "You don't have the rights to create a model here")
        if name in self.hub.repositories:
            return self._json({"error": "You already created it", "url": f"{self.hub.url}/{name}"}, 409)
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.hub.repositories[name] = Repository(private=private)
        self.hub.repositories[name].commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        return self._json({"url": f"{self.hub.url}/{name}", "id": name})

    def _commit(self, name: str, body: bytes) -> None:
        if self._rights() != "write":
            return self._error(403, "", "You don't have the rights to write here")
        files = dict(self.hub.repositories[name].files)
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                assert hashlib.sha256(self.hub.stored[value["oid"]]).hexdigest() == value["oid"]
                files[value["path"]] = self.hub.stored[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        commit = self.hub.repositories[name].commit(files)
        return self._json(
            {"commitUrl": f"{self.hub.url}/{name}/commit/{commit}", "commitOid": commit, "success": True}
        )

    def _tree(self, repository: Repository, revision: str) -> None:
        found = repository.at(revision)
        if found is None:
            return self._error(404, "RevisionNotFound", "no such revision")
        return self._json(
            [
                {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for path, data in sorted(found[1].items())
            ]
        )

    def _file(self, repository: Repository, revision: str, path: str) -> None:
        found = repository.at(revision)
        if found is None:
            return self._error(404, "RevisionNotFound", "no such revision")
        commit, files = found
        if path not in files:
            return self._error(404, "EntryNotFound", "no such file")
        etag = hashlib.sha256(files[path]).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Content-Type": "application/octet-stream"}
        return self._send(200, files[path], headers)

    def _json(self, answer: object, status: int = 200) -> None:
        self._send(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message, "Content-Type": "application/json"}
        self._send(status, json.dumps({"error": message}).encode(), {k: v for k, v in headers.items() if v})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
