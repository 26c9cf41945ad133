"""bench/run upload: a large file by POST /api/v1/media, against `cat` from a loopback socket into a file, in turns.

An answer to an upload promises that the file outlasts a power cut; a copy that was only written does not. So
the copy is measured twice: as it is, and until `sync FILE` has ended.
"""
import os, socket, subprocess, tempfile, threading, time
from pathlib import Path

from harness import Server, median, row

GIB = 1 << 30


def make_file(path, size):
    """Bytes that no disk makes smaller, the same 64 MiB again and again."""
    block = os.urandom(64 << 20)
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(block[:size - file.tell()])


def copied(source, target):
    """(seconds until it is written, until it is on disk)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        begin = time.monotonic()
        sender = subprocess.Popen(["bash", "-c", 'exec cat "$0" >"/dev/tcp/127.0.0.1/$1"', str(source),
                                   str(listener.getsockname()[1])])
        connection, _ = listener.accept()
        with connection, target.open("wb") as file:
            subprocess.run(["cat"], stdin=connection, stdout=file, check=True)
        if sender.wait() != 0:
            raise SystemExit("bench: the copy failed")
        written = time.monotonic() - begin
        subprocess.run(["sync", str(target)], check=True)
        return written, time.monotonic() - begin


class Resident(threading.Thread):
    """The server's resident memory, looked at 20 times a second."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.first, self.most, self.ended = server, server.resident_kib(), 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.05):
            self.most = max(self.most, self.server.resident_kib())


def uploaded(server, source):
    """By the same `cat` as the copy, behind the head of a request. Seconds until the answer is there."""
    head = (f"POST /api/v1/media?filename=large.wav HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: close\\r\\n"
            f"Content-Type: application/octet-stream\\r\\nContent-Length: {source.stat().st_size}\\r\\n\\r\\n")
    begin = time.monotonic()
    answer = subprocess.run(["bash", "-c", 'exec 3<>"/dev/tcp/127.0.0.1/$1"; printf "$2" >&3; cat "$0" >&3; exec head -1 <&3',
                             str(source), str(server.port), head], check=True, capture_output=True, text=True).stdout
    if not answer.startswith("HTTP/1.1 201"):
        raise SystemExit(f"bench: the upload was answered {answer}")
    return time.monotonic() - begin


def bench_upload(keep, runs, gigabytes):
    print(f"upload: {gigabytes} GiB, against cat through a loopback socket", flush=True)
    size = int(gigabytes * GIB)
    with tempfile.TemporaryDirectory(dir=keep) as folder:
        source, target = Path(folder) / "large", Path(folder) / "copy"
        make_file(source, size)
        written, on_disk, growth = [], [], 0
        for _ in range(runs):
            plain, durable = copied(source, target)
            target.unlink()
            with tempfile.TemporaryDirectory(dir=folder) as data:
                server = Server(data, DURASCRIBE_UPLOAD_LIMIT="1000GB")
                server.request("POST", "/api/v1/queue/pause")
                watch = Resident(server)
                watch.start()
                took = uploaded(server, source)
                watch.ended.set()
                watch.join()
                server.close()
            written.append(plain / took)
            on_disk.append(durable / took)
            growth = max(growth, watch.most - watch.first)
            rates = [size / seconds / 1e6 for seconds in (took, durable, plain)]
            print("    {:.0f} MB/s; copy and sync {:.0f} MB/s, copy alone {:.0f} MB/s".format(*rates), flush=True)
    row("upload / copy through a socket and sync, MB a second", f"{median(on_disk):.2f}", ">= 0.80", median(on_disk) >= 0.8)
    row("upload / copy through a socket that may still be in memory", f"{median(written):.2f}", ">= 0.80", median(written) >= 0.8)
    row("resident memory of the server, growth meanwhile", f"{growth >> 10} MiB", "flat", growth < 64 << 10)
