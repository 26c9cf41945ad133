"""Recordings with which the worker of poisoned_worker.cpp goes wrong, and a server that has that worker."""
import array, io, shutil, wave
from pathlib import Path

from harness import demand

_FIRST_SAMPLE = 12345  # as in poisoned_worker.cpp, and so is the order of the lies
LIES = ("crash", "garbage", "half a frame", "a frame of 4 GB", "a closed socket", "exit 0", "progress without end")


def recording(lie="crash"):
    """Two seconds of the samples by which the worker knows it."""
    sample = _FIRST_SAMPLE + LIES.index(lie)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes(array.array("h", [sample, -sample] * 16000).tobytes())
    return file.getvalue()


def programs(binaries: Path, folder: Path):
    """The server's program, with the poisoned worker where it looks for its own: beside it."""
    place = folder / "bin"
    if not place.exists():
        place.mkdir()
        shutil.copy2(binaries / "durascribe", place / "durascribe")
        shutil.copy2(binaries.parent / "tests/durascribe_poisoned_worker", place / "durascribe-worker")
    return place / "durascribe"


def upload(server, name, content):
    status, answer = server.ask("POST", f"/api/v1/media?filename={name}.wav", content, {"Content-Type": "audio/wav"})
    demand(status == 201, f"the upload of {name} is answered {status} {answer}")
    return answer
