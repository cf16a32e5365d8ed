"""sides: the servers that are compared. Each is started on an empty folder and a free port, and stopped by its id."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PEER = os.path.join(os.environ.get("NORN_CACHE", os.path.expanduser("~/.cache/norn")), "peer", "temporal")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def norn_command(folder, port):
    return [os.environ["NORN"], "server", "--data", folder, "--grpc", f"127.0.0.1:{port}", "--http", "127.0.0.1:0",
            "--metrics", "127.0.0.1:0"]


def temporal_command(folder, port, on_file):
    # Its limits on polls and requests are not what is measured.
    command = [PEER, "server", "start-dev", "--headless", "--log-level", "error", "--port", str(port),
               "--dynamic-config-value", "frontend.namespaceCount=20000",
               "--dynamic-config-value", "frontend.namespaceRPS=100000",
               "--dynamic-config-value", "frontend.rps=100000"]
    return command + (["--db-filename", os.path.join(folder, "temporal.db")] if on_file else [])


SIDES = {
    "norn": ("Norn", norn_command),
    "temporal-file": ("Temporal, file", lambda folder, port: temporal_command(folder, port, True)),
    "temporal-memory": ("Temporal, memory", lambda folder, port: temporal_command(folder, port, False)),
}


class Side:
    """A running server. `with Side(name, bench) as side`: side.serving_ms, side.pid, side.address, side.folder."""

    def __init__(self, name, bench, parent):
        self.name, self.bench, self.parent = name, bench, parent

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix=self.name + "-", dir=self.parent)
        self.start()
        return self

    def start(self):
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        asker = subprocess.Popen([self.bench, "serving", "--address", self.address], stdout=subprocess.PIPE, text=True)
        time.sleep(0.1)                      # the asker asks by now
        command = SIDES[self.name][1](self.folder, port)
        began = time.time()
        with open(os.path.join(self.folder, "log"), "w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self.pid = self.process.pid
        answer = asker.communicate()[0]
        at = json.loads(answer)["serving_at"] if answer else 0
        if not at or self.process.poll() is not None:
            text = open(os.path.join(self.folder, "log")).read()[-2000:]
            self.__exit__()
            raise RuntimeError(f"{self.name} does not serve:\n{text}")
        self.serving_ms = (at - began) * 1000

    def restart(self, how=signal.SIGKILL):
        """Ends the server as a crash does, and starts it on the same data: serving_ms is its recovery."""
        self.process.send_signal(how)
        self.process.wait()
        self.start()

    def resident_mib(self):
        with open(f"/proc/{self.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
