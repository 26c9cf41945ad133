"""What the parts of bench/run share: the table, the built programs, and a server of this run's own."""
import http.client, json, os, re, signal, statistics, subprocess, tempfile, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
BIN = BUILD / "bin"
ENDED = ("completed", "partial_failure", "failed", "cancelled")
table = []


def row(what, figure, target, ok):
    table.append((what, figure, target, {True: "yes", False: "NO", None: "-"}[ok]))
    print(f"  {what}: {figure}   (target {target}: {table[-1][3]})", flush=True)


def sh(*command, **kw):
    return subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, **kw)


def median(values):
    return statistics.median(values)


def tool(name):
    for folder in (BIN, BUILD / "tests", BUILD / "bench"):
        if (folder / name).exists():
            return folder / name
    raise SystemExit(f"bench: {name} was not built; run ./test once, or cmake --build --preset release")


def disk(keep):
    """What one write and its way to the disk take just now, beside whatever else this machine does: 'p50, p99'."""
    took = []
    with tempfile.NamedTemporaryFile(dir=keep) as file:
        for _ in range(500):
            begin = time.monotonic()
            os.write(file.fileno(), bytes(4096))
            os.fdatasync(file.fileno())
            took.append((time.monotonic() - begin) * 1000)
    took.sort()
    return f"fdatasync here and now: p50 {took[250]:.2f} ms, p99 {took[495]:.2f} ms; load {os.getloadavg()[0]:.1f}"


class Server:
    """A durascribe server of this run's own, on a free port and a data directory of its own."""

    def __init__(self, data, **environment):
        self.data = Path(data)
        address = self.data / "server.json"
        address.unlink(missing_ok=True)  # of one that was killed
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [BIN / "durascribe", "serve", "--listen", "127.0.0.1:0", "--data", str(self.data)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, **environment})
        self.port = None
        while self.port is None:
            if self.process.poll() is not None:
                raise SystemExit("bench: the server ended at once; try `durascribe doctor`")
            try:
                self.port = json.loads(address.read_text())["port"]
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
                self.get("/health/live")
            except (OSError, ValueError, KeyError):
                self.port = None
                time.sleep(0.0005)
        self.ready_after = time.monotonic() - self.started

    def request(self, method, path, body=None, headers={}):
        self.connection.request(method, path, body=body, headers=headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def get(self, path):
        status, body = self.request("GET", path)
        if status != 200:
            raise SystemExit(f"bench: GET {path} answered {status}: {body[:200]}")
        return json.loads(body)

    def wait_warm(self):
        """Until a first short file has been through every worker."""
        for _ in range(3):
            self.transcribe(ROOT / "samples" / "short.wav")

    def upload(self, path):
        """The answer: id of the media and task_id."""
        status, answer = self.request("POST", f"/api/v1/media?filename={Path(path).name}", Path(path).read_bytes(),
                                      {"Content-Type": "application/octet-stream"})
        if status != 201:
            raise SystemExit(f"bench: upload answered {status}: {answer[:200]}")
        return json.loads(answer)

    def transcribe(self, path):
        """Upload to ready; returns (seconds, media id)."""
        begin = time.monotonic()
        media = self.upload(path)["id"]
        while True:
            state = self.get(f"/api/v1/media/{media}/status")["status"]
            if state in ENDED:
                break
            time.sleep(0.002)
        if state != "completed":
            raise SystemExit(f"bench: {path} ended {state}")
        return time.monotonic() - begin, media

    def text(self, media):
        return self.request("GET", f"/api/v1/media/{media}/transcript.txt")[1].decode()

    def resident_kib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def kill(self):
        """As a crash of the machine's power would find it: no goodbye."""
        self.connection.close()
        self.process.kill()
        self.process.wait()

    def close(self):
        self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
