#!/usr/bin/env python3
"""A large upload in pieces, and the server's resident memory while it comes: it must stay flat.

    bench/upload_memory.py [--gigabytes 10] [--piece-megabytes 0] [--restart] [--bin DIR] [--data DIR]

The bytes are made on the way (nothing of them is read from a disk); a tus client that sends the whole
as one piece, or in pieces of so many MB. --restart: the server is killed once at half, so that the hash
has to be made by reading. Needs room for the file. Prints what was measured, and fails where memory grew
by more than 64 MiB.
"""
import argparse, http.client, signal, sys, tempfile, threading, time
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/fault"))
from harness import Broken, Server, demand

GROWTH_MAX_KIB = 64 << 10
BLOCK = bytes(range(256)) * 4096  # 1 MiB


def resident_kib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


class Watch(threading.Thread):
    """Looks at the server's memory ten times a second."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.most, self.first, self.ended = server, 0, None, threading.Event()

    def run(self):
        while not self.ended.wait(0.1):
            try:
                now = resident_kib(self.server.process.pid)
            except (OSError, IndexError):
                continue  # between two servers
            self.first = self.first or now
            self.most = max(self.most, now)


def blocks(size, kill_at, server):
    sent = 0
    while sent < size:
        if kill_at is not None and sent >= kill_at:
            server.process.kill()
        piece = BLOCK[:min(len(BLOCK), size - sent)]
        yield piece
        sent += len(piece)


def send_piece(server, address, offset, size, kill_at=None):
    """The answer's fields, or None where the server died."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    try:
        connection.request("PATCH", address, blocks(size, kill_at, server), {
            "Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset), "Content-Length": str(size)})
        answer = connection.getresponse()
        answer.read()
        demand(answer.status == 204, f"a piece is answered {answer.status}")
        return answer.headers
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def measure(options, folder):
    size = int(options.gigabytes * (1 << 30))
    server = Server(options.bin / "durascribe", folder / "data", folder / "server.log",
                    {"DURASCRIBE_UPLOAD_LIMIT": "1000GB", "UNFINISHED_UPLOADS_SIZE": "1000GB"})
    server.start()
    watch = Watch(server)
    try:
        server.ask("POST", "/api/v1/queue/pause")
        status, answer, fields = server.ask_fields("POST", "/api/v1/uploads", None, {
            "Tus-Resumable": "1.0.0", "Upload-Length": str(size)})
        demand(status == 201, f"the creation is answered {status} {answer}")
        address, made, killed = fields["Location"], None, not options.restart
        watch.start()
        begin = time.monotonic()
        while made is None:
            _, now = server.ask("GET", address)
            offset = now["offset"]
            piece = min(size - offset, options.piece_megabytes * (1 << 20) or size)
            kill_at = None if killed or offset + piece <= size // 2 else max(0, size // 2 - offset)
            last = time.monotonic()
            fields = send_piece(server, address, offset, piece, kill_at)
            if fields is None:
                demand(not killed, "the server is gone")
                killed = True
                server.kill()
                server.start()
            else:
                made = fields["X-Durascribe-Media-Id"]
        seconds, ending = time.monotonic() - begin, time.monotonic() - last
        watch.ended.set()
        watch.join()
        status, media = server.ask("GET", f"/api/v1/media/{made}")
        demand(status == 200, "the media is not there")
        print(f"{size / (1 << 30):.1f} GiB in {seconds:.1f} s ({size / (1 << 20) / seconds:.0f} MiB/s; the last piece "
              f"{ending:.1f} s); resident: {watch.first >> 10} MiB before, {watch.most >> 10} MiB at most")
        demand(watch.most - watch.first <= GROWTH_MAX_KIB, "memory grew")
    finally:
        watch.ended.set()
        if server.process.poll() is None:
            server.kill()


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--gigabytes", type=float, default=10)
    parse.add_argument("--piece-megabytes", type=int, default=0)
    parse.add_argument("--restart", action="store_true")
    parse.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    parse.add_argument("--data", type=Path, default=None, help="where its data directory is made")
    options = parse.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # its server ends with it
    with tempfile.TemporaryDirectory(prefix="durascribe-large-", dir=options.data) as folder:
        try:
            measure(options, Path(folder))
        except Broken as broken:
            print(f"FAILED: {broken}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
