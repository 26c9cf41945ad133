"""bench/run live: those who listen, over WebSockets."""
import re, subprocess, tempfile

from harness import Server, row, tool


def bench_live(keep, _):
    print("Those who listen over WebSockets: 10,000 that wait, and an event to 1,000", flush=True)
    with tempfile.TemporaryDirectory(dir=keep) as data:
        server = Server(data)
        server.wait_warm()
        run = lambda *what: subprocess.run([tool("live_bench"), *map(str, what)], check=True, capture_output=True, text=True).stdout
        fan = run("fan", server.port, 1000, 200)
        idle = run("idle", server.port, server.process.pid, 10_000)
        server.close()
    print("    " + (fan + idle).strip().replace("\n", "\n    "))
    p99 = float(re.search(r"p99 ([0-9.]+) ms", fan)[1])
    row("an event to 1,000 listeners, from before its commit, p99", f"{p99:.1f} ms", "<= 20 ms", p99 <= 20)
    each = float(re.search(r": ([0-9.]+) KiB each", idle)[1])
    row("10,000 idle WebSockets, memory of each", f"{each:.1f} KiB", "<= 16 KiB", each <= 16)
