#!/usr/bin/env python3
"""The names of the failpoints, as they stand in the sources (base/failpoint.h).

    tests/fault/failpoint_names.py --none-in PROGRAM... --all-in PROGRAM

None of them, and nothing of what makes them work, may be in what users run; all of them must be in
the program of the campaign, which shows that this looks at the right thing.
"""
import argparse, re, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MACHINERY = ("failpoint_reached", "FAILPOINT_ABORT", "FAILPOINT_LOG")


def names_in_sources():
    """{name: file}; each stands in one place, and in no header. ValueError where that is not so."""
    found = {}
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix not in (".cpp", ".h") or path.name == "failpoint.h":
            continue
        text = path.read_text()
        names = re.findall(r'DURASCRIBE_FAILPOINT\(\s*"([a-z_]+\.[a-z_]+)"\s*\)', text)
        where = path.relative_to(ROOT)
        if len(names) != text.count("DURASCRIBE_FAILPOINT"):
            raise ValueError(f"a failpoint in {where} is not named area.step")
        if names and path.suffix != ".cpp":
            raise ValueError(f"{names[0]} stands in the header {where}")
        for name in names:
            if name in found:
                raise ValueError(f"{name} stands in {where} and in {found[name]}")
            found[name] = where
    return found


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--none-in", type=Path, nargs="+", required=True)
    parse.add_argument("--all-in", type=Path, required=True)
    options = parse.parse_args()
    words = [*names_in_sources(), *MACHINERY]
    missing = [word for word in words if word.encode() not in options.all_in.read_bytes()]
    broken = [f"{options.all_in} lacks {' '.join(missing)}"] if missing else []
    for program in options.none_in:
        content = program.read_bytes()
        there = [word for word in words if word.encode() in content]
        if there:
            broken.append(f"{program} holds {' '.join(there)}")
    print("\n".join(broken) or f"{len(words) - len(MACHINERY)} names: all in {options.all_in.name} of the campaign, "
          f"none in {', '.join(program.name for program in options.none_in)}")
    return 1 if broken or len(words) == len(MACHINERY) else 0


if __name__ == "__main__":
    sys.exit(main())
