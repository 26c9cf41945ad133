"""bench/run search: lists and searches over a very large store, through HTTP."""
import os, random, re, shutil, subprocess, time
from urllib.parse import quote

from harness import Server, row, tool


def word(n):
    """As made_speech.h makes them."""
    out, rest = "", n + 70
    while rest > 0:
        out += "bdfgklmnprstvz"[rest % 14] + "aeiou"[rest // 14 % 5]
        rest //= 70
    return out


def asked(rng, server, count):
    """(kind, path) of what people ask: words of every frequency, typed whole or in part; pages of every list."""
    pages = {}
    def deep(query):
        """A page some way down."""
        for _ in range(rng.randrange(5)):
            path = f"/api/v1/media?{query}" + (f"&cursor={quote(pages[query])}" if pages.get(query) else "")
            pages[query] = server.get(path)["next_cursor"]
        return f"/api/v1/media?{query}" + (f"&cursor={quote(pages[query])}" if pages.get(query) else "")
    rank = lambda: int(30_000 ** rng.random()) - 1  # as often a frequent word as a rare one
    common = lambda: rng.randrange(200)
    kinds = {
        "search, a word": lambda: "/api/v1/search?q=" + word(rank()) + "%20",
        "search, two words": lambda: f"/api/v1/search?q={word(rank())}%20{word(common())}",
        "search, words that follow": lambda: f"/api/v1/search?q=%22{word(common())}%20{word(common())}%22",
        "search, as it is typed": lambda: "/api/v1/search?q=" + (word(rank()) + word(rank()))[:rng.randint(2, 7)],
        "media, search": lambda: "/api/v1/media?search=" + word(rank()),
        "media, newest": lambda: deep("limit=50"),
        "media, by title": lambda: deep("sort=title"),
        "media, by duration": lambda: deep("sort=duration"),
        "media, completed": lambda: deep("status=completed"),
        "media, failed (one in a thousand)": lambda: deep("status=failed"),
        "media, waiting (one in ten thousand)": lambda: deep("status=pending"),
        "media, of a day": lambda: deep("created_after=2023-11-15&created_before=2023-11-16"),
        "media, long": lambda: deep("min_duration=1000"),
    }
    for _ in range(count):
        for kind, make in kinds.items():
            yield kind, make()


def bench_search(keep, media):
    each = 10
    data = keep / f"search-{media}"
    print(f"Lists and searches over {media:,} media and {media * each:,} segments", flush=True)
    if not (data / "filled").exists():
        shutil.rmtree(data, ignore_errors=True)
        out = subprocess.run([tool("search_fill"), data, str(media), str(each)], check=True, capture_output=True, text=True).stdout
        print("    " + out.strip().replace("\n", "\n    "), flush=True)
        (data / "filled").write_text(out)
    size = (data / "durascribe.db").stat().st_size
    server = Server(data)
    while server.get("/health/ready")["housekeeping"]["reconciled_at"] is None:
        time.sleep(0.5)
    took = {}
    for kind, path in asked(random.Random(1), server, 200):
        begin = time.monotonic()
        server.get(path)
        took.setdefault(kind, []).append((time.monotonic() - begin) * 1000)
    resident = server.resident_kib() / 1024
    server.close()
    every = sorted(t for times in took.values() for t in times)
    for kind, times in took.items():
        times.sort()
        print(f"    {kind}: p50 {times[len(times) // 2]:.1f} ms, p99 {times[int(len(times) * 0.99)]:.1f} ms, "
              f"most {times[-1]:.1f} ms", flush=True)
    print(f"    database {size / 1e9:.1f} GB, server {resident:.0f} MB, load {os.getloadavg()[0]:.1f}", flush=True)
    p99 = every[int(len(every) * 0.99)]
    row(f"list and search, {media:,} media and {media * each:,} segments, p99", f"{p99:.1f} ms (p50 {every[len(every) // 2]:.1f} ms)",
        "<= 50 ms", p99 <= 50)
