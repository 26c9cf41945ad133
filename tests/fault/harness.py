"""What the fault campaigns share: a server that is started and killed, clips with a known transcript,
and an oracle that is kept outside the server. Standard library only; Linux only (/proc).

The oracle holds what the server has acknowledged. Whatever was done to the server, in the end:
every acknowledged media is there, byte for byte; every job has ended, and none is stuck; a job that
nobody cancelled is completed, and its transcript is the one that an undisturbed server gave; the
progress of a run never went back; the database is sound; no file is left that no media names.

A worker that is killed counts as a crash, and a unit whose worker died three times is quarantined:
that is right, and here it is the campaign that killed it. The oracle demands that such a task says
so (class crash or memory), retries it, and then demands that it completes.
"""
import hashlib, http.client, json, os, random, shutil, signal, socket, sqlite3, subprocess, tempfile, threading, time
from pathlib import Path

TERMINAL = ("completed", "partial_failure", "failed", "cancelled")
# Seconds for what must come by itself. Where the machine does other work, more: CAMPAIGN_PATIENCE=600.
PATIENCE = float(os.environ.get("CAMPAIGN_PATIENCE", "60"))


class OwnTime:
    """Seconds as time.monotonic() has them, without those in which the machine let nothing of us run: a thread that only
    sleeps wakes late by so much. What must happen within some seconds is measured by it."""
    STEP, LATE = 0.01, 0.05

    def __init__(self):
        self.lock, self.taken, self.slept_at = threading.Lock(), 0.0, time.monotonic()
        threading.Thread(target=self.sleep_and_look, daemon=True).start()

    def sleep_and_look(self):
        while True:
            time.sleep(self.STEP)
            with self.lock:
                now = time.monotonic()
                self.taken += self.late(now)
                self.slept_at = now

    def late(self, now):
        late = now - self.slept_at - self.STEP
        return late if late > self.LATE else 0.0

    def __call__(self):
        with self.lock:
            now = time.monotonic()
            return now - self.taken - self.late(now)


own_time = OwnTime()


class Broken(Exception):
    """A promise that was not kept."""


def demand(condition, words):
    if not condition:
        raise Broken(words)


def make_clips(samples: Path, folder: Path, count=6, seconds=1.5, long=0.0):
    """`count` short pieces of a spoken recording, each with bytes of its own; and its first `long` seconds, if any: of
    12, each of two slots has a chunk."""
    clips = []
    for i, (start, length) in enumerate([(2 + 3 * i, seconds) for i in range(count)] + ([(0, long)] if long else [])):
        clip = folder / f"clip{i}.wav"
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-ss", str(start), "-t", str(length),
                        "-i", str(samples / "talk.ogg"), "-ar", "16000", "-ac", "1", str(clip)], check=True)
        clips.append(clip.read_bytes())
    return clips


# In place of the models that are installed (make_small_model); none: those.
MODELS = {"DURASCRIBE_MODELS": os.environ["TEST_MODELS"]} if os.environ.get("TEST_MODELS") else {}


class Server:
    """`durascribe serve` on one data directory."""

    def __init__(self, binary: Path, data: Path, log: Path, environment=None):
        self.binary, self.data, self.log = binary, data, log
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("DURASCRIBE_")}
        self.environment.update({"HOME": str(data.parent), "MAX_CONCURRENT_TRANSCRIPTIONS": "2",
                                 **MODELS, **(environment or {})})
        self.process, self.port, self.starts, self.slowest_ready = None, 0, 0, 0.0

    def start(self, patience=PATIENCE / 2):
        demand(self.try_to_start(patience), "the server did not start again")

    def try_to_start(self, patience=PATIENCE / 2, more_environment=None):
        """Whether it came to be ready; if not, it has ended."""
        begin = own_time()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([str(self.binary), "serve", "--listen", "127.0.0.1:0", "--data",
                                             str(self.data)], stdout=subprocess.PIPE, stderr=log,
                                            env={**self.environment, **(more_environment or {})})
        for line in self.process.stdout:
            if b"is ready on" in line:
                self.port = int(line.rsplit(b":", 1)[1].strip(b"/ \n"))
                break
        else:
            self.process.wait()
            self.process.stdout.close()
            return False
        ready = own_time() - begin
        demand(ready < patience, f"the server needed {ready:.1f} s to start")
        self.starts += 1
        self.slowest_ready = max(self.slowest_ready, ready)
        return True

    def workers(self):
        """Its children that run durascribe-worker."""
        return workers_of(self.process.pid)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.port = 0

    def stop(self, patience=PATIENCE / 2):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            raise Broken(f"the server did not stop in {patience} s")
        self.process.stdout.close()
        self.port = 0
        return code

    def wait_reconciled(self, patience):
        """Until housekeeping has held files and rows against each other since this start."""
        deadline = time.monotonic() + patience
        while True:
            _, ready = self.ask("GET", "/health/ready")
            if ready and ready["housekeeping"]["reconciled_at"]:
                return
            demand(time.monotonic() < deadline, f"files and rows were not reconciled in {patience} s")
            time.sleep(0.02)  # between two looks

    def ask(self, method, target, body=None, headers=None, timeout=PATIENCE / 3):
        """(status, answer); the status is 0 where no answer came: nothing was acknowledged then."""
        return self.ask_fields(method, target, body, headers, timeout)[:2]

    def ask_fields(self, method, target, body=None, headers=None, timeout=20):
        """The same with the header fields of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            data = answer.read()
            if answer.getheader("Content-Type", "").startswith(("application/json", "application/problem+json")):
                data = json.loads(data)
            return answer.status, data, answer.headers
        except (OSError, http.client.HTTPException, ValueError):
            return 0, None, {}
        finally:
            connection.close()


def workers_of(pid, role=None):
    """The children of a process that run durascribe-worker (in that role: media or speech)."""
    found = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"durascribe-worker") and role in (None, words[1].decode()):
                    found.append(int(child))
    except OSError:
        pass  # it has just ended
    return found


class Job:
    def __init__(self, media, task, clip):
        self.media, self.task, self.clip = media, task, clip
        self.may_be_cancelled = False
        self.seen_in, self.percent = None, 0.0


class Oracle:
    def __init__(self, clips, transcripts, forgiven=("crash", "memory")):
        """`forgiven`: the classes with which what the campaign does may end a task; it is retried."""
        self.clips, self.transcripts, self.forgiven = clips, transcripts, forgiven
        self.jobs, self.acknowledged, self.quarantined, self.ended = {}, 0, 0, {}

    def uploaded(self, answer, clip):
        demand(answer["sha256"] == hashlib.sha256(self.clips[clip]).hexdigest(), "another sha256 was answered")
        self.jobs[answer["task_id"]] = Job(answer["id"], answer["task_id"], clip)
        self.acknowledged += 1

    def saw(self, task, life):
        """A task as the server tells of it in one of its lives: its progress does not go back. (After a death it
        may: what was shown and not yet stored, a second of it, is nearly all of a short clip.)"""
        job = self.jobs[task["task_id"]]
        if (task["run"], life) != job.seen_in:
            job.seen_in, job.percent = (task["run"], life), 0.0
        demand(task["progress"] >= job.percent, f"the progress of {job.task} goes back from {job.percent} to {task['progress']}")
        job.percent = task["progress"]

    def settle(self, server, patience):
        """Waits until every job has ended, retrying those whose workers were killed too often."""
        deadline = time.monotonic() + patience
        open_jobs = list(self.jobs.values())
        while open_jobs:
            demand(time.monotonic() < deadline, f"{len(open_jobs)} jobs have not ended in {patience} s, the first is "
                   f"{server.ask('GET', '/api/v1/tasks/' + open_jobs[0].task)}")
            still = []
            for job in open_jobs:
                status, task = server.ask("GET", "/api/v1/tasks/" + job.task)
                demand(status == 200, f"the acknowledged task {job.task} is answered {status}")
                if task["status"] not in TERMINAL:
                    still.append(job)
                elif task["status"] in ("failed", "partial_failure"):
                    demand(task["error"]["class"] in self.forgiven,
                           f"task {job.task} is {task['status']}: {task['error']}")
                    self.quarantined += 1
                    status, answer = server.ask("POST", f"/api/v1/tasks/{job.task}/retry")
                    demand(status == 202, f"the retry of {job.task} is answered {status} {answer}")
                    still.append(job)
                elif task["status"] == "cancelled":
                    demand(job.may_be_cancelled, f"task {job.task} is cancelled, and nobody asked for it")
                    status, answer = server.ask("POST", f"/api/v1/tasks/{job.task}/retry")
                    demand(status == 202, f"the retry of {job.task} is answered {status} {answer}")
                    job.may_be_cancelled = False
                    still.append(job)
            open_jobs = still
            if open_jobs:
                time.sleep(0.05)  # between two looks; the deadline bounds them

    def check(self, server):
        """Every job has been settled: is all of it there, and the same as undisturbed?"""
        for job in self.jobs.values():
            status, task = server.ask("GET", "/api/v1/tasks/" + job.task)
            demand(status == 200 and task["status"] == "completed", f"task {job.task}: {status} {task}")
            demand(task["progress"] == 100, f"task {job.task} is completed at {task['progress']} %")
            status, source = server.ask("GET", f"/api/v1/media/{job.media}/source")
            demand(status == 200 and source == self.clips[job.clip], f"the bytes of {job.media} are not those uploaded")
            status, words = server.ask("GET", f"/api/v1/media/{job.media}/transcript.txt")
            demand(status == 200 and words == self.transcripts[job.clip][0],
                   f"the text of {job.media} is {words!r} instead of {self.transcripts[job.clip][0]!r}")
            demand(segments_of(server, job.media) == self.transcripts[job.clip][1],
                   f"the segments of {job.media} are others than undisturbed")
            self.ended["completed"] = self.ended.get("completed", 0) + 1

    def check_attempts(self, data: Path):
        """A disk that fails costs no attempt of any budget."""
        database = sqlite3.connect(f"file:{data}/durascribe.db?mode=ro", uri=True)
        spent = database.execute("SELECT unit_id, outcome, error_class, error_message FROM attempts WHERE counted = 1"
                                 " AND outcome <> 'completed' AND coalesce(error_class, 'storage') = 'storage'").fetchall()
        database.close()
        demand(not spent, f"attempts were spent: {spent}")

    def check_files(self, data: Path):
        """With no server on it: a sound database, every named file there, no other file, no finished work done twice."""
        database = sqlite3.connect(f"file:{data}/durascribe.db?mode=ro", uri=True)
        demand(database.execute("PRAGMA integrity_check").fetchone() == ("ok",), "the database is damaged")
        demand(database.execute("PRAGMA foreign_key_check").fetchone() is None, "a row names one that is not there")
        stuck = database.execute("SELECT count(*) FROM units WHERE state = 'processing'").fetchone()[0]
        demand(stuck == 0, f"{stuck} units are still processing in a stopped server")
        twice = database.execute("SELECT unit_id FROM attempts WHERE outcome = 'completed' GROUP BY unit_id"
                                 " HAVING count(*) > 1").fetchall()
        demand(not twice, f"finished units were done again: {twice}")
        named = {row[0] for row in database.execute(
            "SELECT source_sha256 FROM media UNION SELECT pcm_sha256 FROM tasks WHERE pcm_sha256 <> ''")}
        half_done = {"uploads" + row[0] for row in database.execute("SELECT id FROM uploads WHERE source_sha256 = ''")}
        database.close()
        files = {p.parent.name + p.name if len(p.name) < 64 else p.name
                 for p in (data / "blobs").rglob("*") if p.is_file()}
        demand(named <= files, f"files are missing: {sorted(named - files)}")
        files -= half_done
        demand(files <= named, f"files that nothing names: {sorted(files - named)}")


def segments_of(server, media):
    status, answer = server.ask("GET", f"/api/v1/media/{media}/segments")
    demand(status == 200, f"the segments of {media} are answered {status}")
    return [(s["start"], s["end"], s["text"]) for s in answer["segments"]]


def undisturbed(binary, folder: Path, clips):
    """The transcript of each clip from a server that nobody touches."""
    data = folder / "calm"
    server = Server(binary, data, folder / "calm.log")
    server.start()
    try:
        transcripts, made = [], []
        for i, clip in enumerate(clips):
            status, answer = server.ask("POST", f"/api/v1/media?filename=clip{i}.wav", clip,
                                        {"Content-Type": "audio/wav"})
            demand(status == 201, f"an upload is answered {status} {answer}")
            made.append(answer)
        for answer in made:
            deadline = time.monotonic() + PATIENCE
            while True:
                _, task = server.ask("GET", "/api/v1/tasks/" + answer["task_id"])
                if task and task["status"] in TERMINAL:
                    break
                demand(time.monotonic() < deadline, f"an undisturbed job has not ended in {PATIENCE:g} s")
                time.sleep(0.05)  # between two looks
            demand(task["status"] == "completed", f"an undisturbed job is {task}")
            _, words = server.ask("GET", f"/api/v1/media/{answer['id']}/transcript.txt")
            transcripts.append((words, segments_of(server, answer["id"])))
        demand(server.stop() == 0, "the undisturbed server did not stop by itself")
        return transcripts
    finally:
        if server.process.poll() is None:
            server.kill()
