"""Pages in headless Chromium, driven by the DevTools protocol over a pipe; no further package."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

PROGRAM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
OPTIONS += ["--no-first-run", "--hide-scrollbars", "--window-size=1400,900"]
PATIENCE = 60  # seconds for a condition on a page


class Page:
    """One open page. errors: messages of its console that are errors, and exceptions."""

    def __init__(self, requests, answers):
        self._requests, self._answers, self._count = requests, answers, 0
        self._session, self.errors, self.requested = None, [], []

    def send(self, method, **params):
        """Call a method of the protocol; returns its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        self._requests.write(json.dumps(message).encode() + b"\0")
        self._requests.flush()
        while (answer := self._receive()).get("id") != self._count:
            self._note(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _receive(self):
        parts = []
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "Chromium has ended"
            parts.append(byte)
        return json.loads(b"".join(parts))

    def _note(self, event):
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"])
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(params["args"])
        if method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"])
        if method == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"][:80])

    def attach(self):
        targets = self.send("Target.getTargets")["targetInfos"]
        target = next(each["targetId"] for each in targets if each["type"] == "page")
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def open(self, path):
        self.send("Page.navigate", url=Path(path).resolve().as_uri())
        self.wait("document.readyState === 'complete'")

    def run(self, code):
        """Value of an expression in the page."""
        answer = self.send(
            "Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, code):
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.run(code):
            assert time.monotonic() < end, f"still false: {code}"
            time.sleep(0.05)

    def picture(self, path):
        """Write what the window shows as a PNG file."""
        import base64

        data = self.send("Page.captureScreenshot", format="png")["data"]
        Path(path).write_bytes(base64.b64decode(data))


@contextlib.contextmanager
def page(profile):
    """An open page of a new browser, whose profile lies in a folder. It has no network."""
    pipes = [os.pipe(), os.pipe()]
    # The protocol's descriptors are 3 and 4 in the browser; theirs must be others until then.
    ours, theirs = (
        (pipes[0][1], pipes[1][0]),
        [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (pipes[0][0], pipes[1][1])],
    )

    def connect():
        os.dup2(theirs[0], 3)
        os.dup2(theirs[1], 4)

    command = [
        PROGRAM,
        *OPTIONS,
        f"--user-data-dir={profile}",
        "--remote-debugging-pipe",
        "about:blank",
    ]
    browser = subprocess.Popen(
        command, preexec_fn=connect, close_fds=False, stderr=subprocess.DEVNULL
    )
    for end in (*theirs, pipes[0][0], pipes[1][1]):
        os.close(end)
    with os.fdopen(ours[0], "wb") as requests, os.fdopen(ours[1], "rb") as answers:
        shown = Page(requests, answers)
        try:
            shown.attach()
            yield shown
        finally:
            browser.terminate()
            browser.wait()
