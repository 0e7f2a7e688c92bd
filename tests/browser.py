"""A headless browser that tells what a page asked for, what it complained of, and how it looks."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_browser():
    """Return the path of a Chromium, or None where there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@dataclass
class Seen:
    """What a page did: addresses it asked for, complaints, and the answer of a script."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    answer: Any = None


class Browser:
    """A Chromium that is spoken to through a pair of pipes, by its DevTools protocol."""

    def __init__(self, profile: Path) -> None:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        flags += [f"--user-data-dir={profile}", "--disable-dev-shm-usage", "--no-first-run"]
        flags += ["--disable-background-networking", "--hide-scrollbars"]

        def take_pipes():
            # Chromium reads commands from descriptor 3 and answers on 4.
            read, write = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self._process = subprocess.Popen(
            [find_browser(), *flags],
            preexec_fn=take_pipes,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (theirs_in, theirs_out):
            os.close(end)
        self._from, self._to = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")
        self._n_sent, self._rest = 0, b""
        target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        attach = {"targetId": target, "flatten": True}
        self._session = self._ask("Target.attachToTarget", attach)["sessionId"]
        self._seen = Seen()
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._ask(f"{domain}.enable")

    def visit(self, path: Path, width: int, script: str, picture: Path | None = None) -> Seen:
        """Open a file in a window of that many pixels and run a script in it."""
        self._seen = Seen()
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", size)
        self._loaded = False
        self._ask("Page.navigate", {"url": path.as_uri()})
        while not self._loaded:
            self._hear()
        found = self._ask("Runtime.evaluate", {"expression": script, "returnByValue": True})
        self._seen.answer = found["result"].get("value")
        if picture is not None:
            shot = self._ask("Page.captureScreenshot", {"captureBeyondViewport": True})
            picture.write_bytes(base64.b64decode(shot["data"]))
        return self._seen

    def close(self) -> None:
        """End the browser."""
        with contextlib.suppress(OSError):
            self._ask("Browser.close", own=False)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._from.close()
        with contextlib.suppress(OSError):
            self._to.close()

    def _ask(self, method, params=None, own=True):
        self._n_sent += 1
        message = {"id": self._n_sent, "method": method, "params": params or {}}
        if own and hasattr(self, "_session"):
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while True:
            answer = self._hear()
            if answer.get("id") == self._n_sent:
                assert "error" not in answer, answer
                return answer["result"]

    def _hear(self):
        while b"\0" not in self._rest:
            got = os.read(self._from.fileno(), 2**20)
            if not got:
                raise ConnectionError("the browser has gone")
            self._rest += got
        line, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(line)
        params = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent":
                self._seen.requests.append(params["request"]["url"])
            case "Log.entryAdded":
                self._seen.complaints.append(params["entry"]["text"])
            case "Runtime.consoleAPICalled":
                self._seen.complaints.append(str(params["args"]))
            case "Runtime.exceptionThrown":
                self._seen.complaints.append(str(params["exceptionDetails"]))
        return message
