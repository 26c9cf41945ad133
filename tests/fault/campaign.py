"""What the commands of this folder share: their options, the seed that is printed first, a folder of
their own that is removed, the words when a promise was not kept. Standard library only.
"""
import argparse, random, shutil, signal, sys, tempfile, time
from pathlib import Path

from harness import Broken, demand, own_time

ROOT = Path(__file__).resolve().parent.parent.parent


def run(documentation, name, campaign, **numbers):
    """Runs `campaign(options, folder)`; `numbers` are its own options and their defaults. The exit code."""
    parse = argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in numbers.items():
        parse.add_argument("--" + option, type=type(default), default=default)
    parse.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parse.add_argument("--patience", type=float, default=240, help="seconds for all jobs to end")
    parse.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    parse.add_argument("--samples", type=Path, default=ROOT / "samples")
    parse.add_argument("--keep", action="store_true", help="keep the data directory and the log")
    options = parse.parse_args()
    print(f"seed {options.seed}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # its servers end with it
    folder = Path(tempfile.mkdtemp(prefix=f"durascribe-{name}-"))
    begin = time.monotonic()
    failed = True
    try:
        campaign(options, folder)
        failed = False
    except Broken as broken:
        print(f"FAILED with seed {options.seed}: {broken}")
        for log in sorted(folder.rglob("*.log")):
            print(f"--- {log.name}\n" + "".join(log.read_text(errors="replace").splitlines(True)[-15:]))
    finally:
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{time.monotonic() - begin:.0f} s")
    return 1 if failed else 0


def wait_until(seconds, what, condition):
    """The first true answer of `condition`; looks again and again until it comes."""
    deadline = own_time() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        demand(own_time() < deadline, f"not within {seconds} s: {what}")
        time.sleep(0.005)  # between two looks
