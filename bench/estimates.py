"""How true the progress bar and the time left are: recordings of many kinds, one after the other, on a real
server with a real recogniser, watched from the upload's answer to the end."""
import json, os, tempfile, time

from harness import ENDED, ROOT, Server, row, sh

LEAST_WORK = 10       # seconds: the bar of a shorter one is over before it is looked at
ETA_OFF_MAX = 0.15    # of the actual time, a quarter of the way
ETA_GOOD_LEAST = 0.8  # share of the recordings
BAR_OFF_MAX = 10      # points
POLL = 0.05
WAVE = ("-r", "16000", "-c", "1", "-b", "16")


# ---- the recordings: each maker writes one WAV file ----

def talk(seconds, voice):
    return lambda out: sh(ROOT / "bench" / "make_talk", out, out.with_suffix(".txt"), seconds, voice)


def with_silences(seconds, voice, count):
    """A talk with long silences of 8 to 12 seconds put into it."""
    def make(out):
        plain = out.with_suffix(".part")
        talk(seconds, voice)(plain.with_suffix(".plain.wav"))
        sh("sox", "-R", plain.with_suffix(".plain.wav"), out, "pad",
           *[f"{8 + i % 5}@{10 + i * (seconds - 20) // count}" for i in range(count)])
    return make


def over_noise(seconds, voice):
    def make(out):
        plain, sound = out.with_suffix(".plain.wav"), out.with_suffix(".noise.wav")
        talk(seconds, voice)(plain)
        sh("sox", "-R", "-n", *WAVE, sound, "synth", seconds, "pinknoise", "vol", "0.05")
        sh("sox", "-R", "-m", "-v", "1", plain, "-v", "1", sound, *WAVE, out)
    return make


def noise(seconds):
    return lambda out: sh("sox", "-R", "-n", *WAVE, out, "synth", seconds, "pinknoise", "tremolo", "0.1", "60",
                          "vol", "0.3")


def music(seconds):
    def make(out):
        parts = []
        for i, notes in enumerate((("A2", "E3", "C4"), ("F2", "C3", "A3"), ("C3", "G3", "E4"), ("G2", "D3", "B3"))):
            parts.append(out.with_suffix(f".chord{i}.wav"))
            sh("sox", "-R", "-n", "-r", "16000", "-c", "3", "-b", "16", parts[-1], "synth", "2",
               *[word for note in notes for word in ("pluck", note)], "remix", "-", "fade", "0", "2", "0.3")
        sh("sox", "-R", *parts, *WAVE, out, "repeat", seconds // 8 - 1)
    return make


def one_after_the_other(*makers):
    def make(out):
        parts = [out.with_suffix(f".part{i}.wav") for i in range(len(makers))]
        for part, maker in zip(parts, makers):
            maker(part)
        sh("sox", "-R", *parts, *WAVE, out)
    return make


def words(seconds):
    """Single words with a second or two of silence after each, as in a form read aloud."""
    def make(out):
        parts = []
        for i, word in enumerate("yes no seven eleven maybe tomorrow London later good twenty never stop".split()):
            raw = out.with_suffix(".raw.wav")
            parts.append(out.with_suffix(f".word{i}.wav"))
            sh("flite", "-voice", "slt", "-t", word, "-o", raw)
            sh("sox", "-R", raw, *WAVE, parts[-1], "pad", "0", 1 + i % 3 * 0.5)
        sh("sox", "-R", *parts, *WAVE, out, "repeat", seconds // 26 - 1)
    return make


RECORDINGS = {
    "talk-slt-4min": talk(240, "slt"),
    "talk-rms-4min": talk(240, "rms"),
    "talk-awb-5min": talk(300, "awb"),
    "talk-kal-4min": talk(240, "kal16"),
    "talk-slt-9min": talk(540, "slt"),
    "talk-slt-1min": talk(60, "slt"),
    "silences-7min": with_silences(290, "awb", 14),
    "noisy-talk-4min": over_noise(240, "rms"),
    "music-3min": music(180),
    "noise-2min": noise(120),
    "words-6min": words(390),
}
# What comes later can't be known: shown, and not judged.
UNLIKE_ITS_BEGINNING = {"speech-then-music-4min": one_after_the_other(talk(120, "rms"), music(120))}


def recording(keep, name):
    out = keep / f"{name}.wav"
    if not out.exists():
        with tempfile.TemporaryDirectory(dir=keep) as folder:
            made = type(out)(folder) / out.name
            {**RECORDINGS, **UNLIKE_ITS_BEGINNING}[name](made)
            made.rename(out)
    return out


# ---- watching one ----

def watch(server, path):
    """[(seconds since the upload's answer, progress, eta_seconds)], and the seconds it took in all."""
    task = server.upload(path)["task_id"]
    begin = time.monotonic()
    samples = []
    while True:
        view = server.get(f"/api/v1/tasks/{task}")
        now = time.monotonic() - begin
        if view["status"] in ENDED:
            break
        samples.append((now, view["progress"], view["eta_seconds"]))
        time.sleep(POLL)
    if view["status"] != "completed":
        raise SystemExit(f"bench: {path} ended {view['status']}")
    return samples, now


def judge(samples, total):
    """(how far the predicted end was from the actual one at a quarter of the way, by the clock; the same by the bar;
    how far the bar was off at most)."""
    def off(sample):
        return abs(sample[0] + sample[2] - total) / total if sample[2] is not None else 1
    timed = next(s for s in samples if s[0] >= total / 4)
    shown = next((s for s in samples if s[1] >= 25), timed)
    return off(timed), off(shown), max(abs(s[1] - 100 * s[0] / total) for s in samples)


def bench_estimates(keep, _):
    print("Progress and time left of recordings of many kinds, one after the other on a new server", flush=True)
    with tempfile.TemporaryDirectory(dir=keep) as data:
        server = Server(data)
        results = {}
        for name in (*RECORDINGS, *UNLIKE_ITS_BEGINNING):
            samples, total = watch(server, recording(keep, name))
            results[name] = (total, *judge(samples, total))
            print("    {:24} {:5.1f} s  end predicted within {:3.0f} % (by the bar {:3.0f} %), bar off by {:4.1f} at most"
                  .format(name, total, *[100 * v for v in results[name][1:3]], results[name][3]), flush=True)
            if os.environ.get("BENCH_TRACE"):
                with open(os.environ["BENCH_TRACE"], "a") as trace:
                    trace.write(json.dumps({"name": name, "total": total, "samples": samples}) + "\n")
        server.close()
    for name in UNLIKE_ITS_BEGINNING:
        _, timed, _, bar = results.pop(name)
        row(f"{name}: end, bar", f"within {100 * timed:.0f} %, {bar:.1f} points", "(to be seen)", None)
    good = sum(1 for r in results.values() if max(r[1], r[2]) <= ETA_OFF_MAX)
    row("end predicted a quarter of the way, within 15 %", f"{good} of {len(results)} recordings", "8 of 10",
        good >= ETA_GOOD_LEAST * len(results))
    long = {name: r for name, r in results.items() if r[0] >= LEAST_WORK}
    worst = max(long, key=lambda name: long[name][3])
    row("progress against elapsed share, off by at most", f"{long[worst][3]:.1f} points ({worst}; {len(long)} of 10 s or more)",
        "<= 10 points", long[worst][3] <= BAR_OFF_MAX)
