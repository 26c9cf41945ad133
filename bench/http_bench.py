"""bench/run http: GET /api/v1/media/{id} of a finished media, from the database, by wrk on the other core."""
import os, re, shutil, subprocess, tempfile
from pathlib import Path

from harness import ROOT, Server, median, row

CONNECTIONS, SECONDS = 64, 5


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bench_http(keep, runs):
    print("GET /api/v1/media/{id}: the server on one core, wrk on the other", flush=True)
    if shutil.which("wrk") is None or os.cpu_count() < 2:
        raise SystemExit("bench: http needs wrk (apt-get install wrk) and two cores")
    with tempfile.TemporaryDirectory(dir=keep) as data:
        server = Server(data)
        _, media = server.transcribe(ROOT / "samples" / "short.wav")
        subprocess.run(["taskset", "-acp", "0", str(server.process.pid)], check=True, stdout=subprocess.DEVNULL)
        rates, own = [], []
        for _ in range(runs):
            before = processor_seconds(server.process.pid)
            out = subprocess.run(["taskset", "-c", "1", "wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", str(SECONDS), "--latency",
                                  f"http://127.0.0.1:{server.port}/api/v1/media/{media}"], check=True, capture_output=True, text=True).stdout
            if "Non-2xx" in out:
                raise SystemExit(f"bench: not every answer was a 200:\n{out}")
            requests = int(re.search(r"(\d+) requests in", out)[1])
            rates.append(float(re.search(r"Requests/sec:\s+([0-9.]+)", out)[1]))
            own.append(requests / (processor_seconds(server.process.pid) - before))
            print(f"    {rates[-1]:.0f} a second; {own[-1]:.0f} for a second of the server's processor time", flush=True)
        server.close()
    row("GET /api/v1/media/{id} on one core, a second", f"{median(rates):.0f} ({median(own):.0f} for a second of processor time)",
        ">= 30,000", median(rates) >= 30_000)
