"""One run of a scenario of the failpoint campaign: programs on one data directory, of which at most
one is told to kill itself at a failpoint, and a client that goes on as a client does.

A scenario starts its programs in a fixed order; each start that it planned is a life. The Visit says
in which life which failpoint is deadly at which hit. A program that died there is started again, with
nothing deadly in it, and a request that had no answer is asked again: it may have been done or not.
"""
import hashlib, os, signal, socket, sqlite3, subprocess, time
from dataclasses import dataclass
from pathlib import Path
from harness import PATIENCE, Broken, Oracle, Server, TERMINAL, demand, own_time, workers_of


class TooLate(Broken):
    """What was to be held had come to its end before: the machine was quicker, and nothing is shown."""


@dataclass(frozen=True)
class Visit:
    scenario: str
    life: int
    name: str
    hit: int

    def __str__(self):
        return f"{self.scenario}:{self.life}:{self.name}:{self.hit}"


class Stage:
    def __init__(self, folder: Path, binary: Path, clips, transcripts, visit=None):
        self.folder, self.binary, self.clips, self.visit = folder, binary, clips, visit
        self.oracle = Oracle(clips, transcripts)
        self.life, self.died = 0, False

    def environment_of_next_life(self):
        self.life += 1
        if self.visit is None:
            return {"FAILPOINT_LOG": str(self.folder / f"life{self.life}")}
        if self.visit.life == self.life:
            return {"FAILPOINT_ABORT": f"{self.visit.name}:{self.visit.hit}"}
        return {}

    def hits(self):
        """Of an undisturbed run: {(life, name): how often it was reached}."""
        found = {}
        for life in range(1, self.life + 1):
            for name in (self.folder / f"life{life}").read_text().split():
                found[life, name] = found.get((life, name), 0) + 1
        return found

    def note_death(self, code):
        """A program ended that nobody had told to: was it the failpoint, and the only time?"""
        demand(code == -signal.SIGKILL, f"a program ended by itself with {code}")
        demand(self.visit is not None and self.visit.life == self.life and not self.died,
               "a program died that was not to die")
        self.died = True


class ServedStage(Stage):
    """With `durascribe serve` and its HTTP API."""

    def __init__(self, *arguments, environment=None, **more):
        super().__init__(*arguments, **more)
        self.server = Server(self.binary, self.folder / "data", self.folder / "server.log",
                             {"MAX_CONCURRENT_TRANSCRIPTIONS": "1", **(environment or {})})
        self.unanswered = {}   # clip: uploads without a key that had no answer
        self.unanswered_tasks, self.replaced, self.deleted = 0, [], []

    # ---- the server's lives ----

    def start(self):
        if not self.server.try_to_start(more_environment=self.environment_of_next_life()):
            self.note_death(self.server.process.returncode)
            self.server.start()

    def revive(self):
        try:
            code = self.server.process.wait(timeout=PATIENCE / 6)
        except subprocess.TimeoutExpired:
            demand(False, "the server lives and gives no answer")
        self.server.process.stdout.close()
        self.note_death(code)
        self.server.start()

    def stop(self):
        code = self.server.stop()
        if code != 0:
            self.note_death(code)

    def kill(self):
        if self.server.process.poll() is not None:
            self.note_death(self.server.process.returncode)
        self.server.kill()

    def end(self):
        if self.server.process is not None and self.server.process.poll() is None:
            self.server.kill()

    # ---- what a client asks ----

    def ask(self, method, target, body=None, headers=None):
        """(status, answer); 0: the server has died and is there again."""
        status, answer = self.server.ask(method, target, body, headers)
        if status == 0:
            self.revive()
        return status, answer

    def upload(self, clip, key=None):
        while True:
            status, answer = self.ask("POST", f"/api/v1/media?filename=clip{clip}.wav", self.clips[clip],
                                      {"Content-Type": "audio/wav", **({"Idempotency-Key": key} if key else {})})
            if status != 0:
                demand(status == 201, f"an upload is answered {status} {answer}")
                self.oracle.uploaded(answer, clip)
                return self.oracle.jobs[answer["task_id"]]
            if key is None:
                self.unanswered[clip] = self.unanswered.get(clip, 0) + 1

    def half_an_upload(self, clip):
        """Begins one, and returns once the server holds a file of it; the connection stays open."""
        connection = socket.create_connection(("127.0.0.1", self.server.port))
        connection.sendall(b"POST /api/v1/media?filename=half.wav HTTP/1.1\r\nHost: localhost\r\n"
                           b"Content-Type: audio/wav\r\nContent-Length: %d\r\n\r\n" % len(self.clips[clip]))
        connection.sendall(self.clips[clip][:-1])
        until(lambda: any((self.folder / "data/blobs/tmp").iterdir()) or self.server.process.poll() is not None,
              "a part of the upload is on disk")
        return connection

    def ask_fields(self, method, target, body=None, headers=None):
        status, answer, fields = self.server.ask_fields(method, target, body, {"Tus-Resumable": "1.0.0", **(headers or {})})
        if status == 0:
            self.revive()
        return status, answer, fields

    def begin_pieces(self, clip, key):
        """Creates an upload that comes in pieces, and gives its address."""
        status = 0
        while status == 0:
            status, answer, fields = self.ask_fields("POST", "/api/v1/uploads", None, {
                "Upload-Length": str(len(self.clips[clip])), "Upload-Metadata": "filename Y2xpcC53YXY=",
                "Idempotency-Key": key})
        demand(status == 201, f"an upload's creation is answered {status} {answer}")
        return fields["Location"]

    def send_piece(self, upload, clip, size, more=None):
        """Asks where it is, and sends the next piece; (status or 0, the upload as it was before)."""
        status, until = 0, time.monotonic() + PATIENCE
        while status == 0 or (status == 423 and time.monotonic() < until):  # its last piece is being stored
            status, now, _ = self.ask_fields("GET", upload)
        demand(status == 200, f"the upload {upload} is answered {status} {now}")
        if now["finished"]:
            return 204, now
        piece = self.clips[clip][now["offset"]:now["offset"] + size]
        status, _, fields = self.ask_fields("PATCH", upload, piece, {
            "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(now["offset"]), **(more or {})})
        return status, now

    def upload_in_pieces(self, upload, clip):
        size, told = len(self.clips[clip]) // 2 + 1, 0
        while True:
            status, now = self.send_piece(upload, clip, size)
            demand(status in (0, 204), f"a piece is answered {status}")
            demand(now["offset"] >= told, f"the upload went back from {told} to {now['offset']}")
            told = now["offset"]
            if now["finished"]:
                self.oracle.uploaded({"id": now["media_id"], "task_id": now["task_id"],
                                      "sha256": hashlib.sha256(self.clips[clip]).hexdigest()}, clip)
                return self.oracle.jobs[now["task_id"]]

    def terminate(self, upload):
        status = 0
        while status == 0:
            status, answer, _ = self.ask_fields("DELETE", upload)
        demand(status == 204 or (self.died and status == 404), f"a termination is answered {status} {answer}")

    def task(self, job):
        while True:
            status, task = self.ask("GET", f"/api/v1/tasks/{job.task}")
            if status != 0:
                demand(status == 200, f"the acknowledged task {job.task} is answered {status}")
                return task

    def until_ended(self, *jobs):
        for job in jobs:
            until(lambda: self.task(job)["status"] in TERMINAL, f"the end of {job.task}")

    def cancel(self, job):
        job.may_be_cancelled = True
        status = 0
        while status == 0:
            status, answer = self.ask("POST", f"/api/v1/tasks/{job.task}/cancel")
        if status == 409 and not self.died:
            raise TooLate(f"{job.task} had ended before it was cancelled: {answer}")
        # 409: it has ended, by the cancel whose answer was lost or because it was done again since.
        demand(status in (200, 202) or (self.died and status == 409), f"a cancel is answered {status} {answer}")

    def retry(self, job):
        status, unanswered = 0, -1
        while status == 0:
            unanswered += 1
            status, answer = self.ask("POST", f"/api/v1/tasks/{job.task}/retry")
        demand(status == 202 or (self.died and status == 409), f"a retry is answered {status} {answer}")
        if status == 202 or unanswered:
            job.may_be_cancelled = False

    def reprocess(self, job, force):
        """A new task over the media of `job`, whose own is history from then on."""
        status, unanswered = 0, -1
        while status == 0:
            unanswered += 1
            status, answer = self.ask("POST", f"/api/v1/media/{job.media}/reprocess?force={'true' if force else 'false'}")
        if status == 409 and unanswered:
            task = answer["task_id"]   # the one that the lost answer told of runs
        else:
            demand(status == 202, f"a new task is answered {status} {answer}")
            task = answer["task_id"]
        self.unanswered_tasks += unanswered
        self.replaced.append(self.oracle.jobs.pop(job.task))
        self.oracle.jobs[task] = type(job)(job.media, task, job.clip)
        return self.oracle.jobs[task]

    def delete(self, job):
        status, unanswered = 0, -1
        while status == 0:
            unanswered += 1
            status, answer = self.ask("DELETE", f"/api/v1/media/{job.media}")
        demand(status == 204 or (status == 404 and unanswered), f"a deletion is answered {status} {answer}")
        self.deleted.append(self.oracle.jobs.pop(job.task))

    # ---- what is done to the workers ----

    def hold_speech_workers(self, other_than=()):
        """They stand still until they are killed or let go, so that what they get does not end by itself;
        all of them, as one may be a spare."""
        found = []

        def there():
            if self.server.process.poll() is not None:
                self.revive()
            found[:] = [pid for pid in workers_of(self.server.process.pid, "speech") if pid not in other_than]
            return bool(found)
        until(there, "a speech worker")
        for worker in found:
            send(worker, signal.SIGSTOP)
        return found

    def until_recognising(self, job):
        """It is with a speech worker, or has ended (where a restart has let the worker go)."""
        def so():
            task = self.task(job)
            return task["status"] in TERMINAL or (task["status"], task["current_step"]) == ("processing", "transcribe")
        until(so, f"{job.task} is being recognised")

    # ---- in the end ----

    def check(self):
        """All that was acknowledged is there, and nothing that nobody sent."""
        if self.server.process.poll() is not None:
            if not self.server.process.stdout.closed:
                self.revive()
            else:
                self.server.start()
        status, answer = self.server.ask("GET", "/api/v1/media?limit=200")
        demand(status == 200, f"the list is answered {status}")
        known = {job.media for job in self.oracle.jobs.values()}
        for media in answer["items"]:
            if media["id"] not in known:
                self.adopt(media)
        self.oracle.settle(self.server, PATIENCE)
        self.oracle.check(self.server)
        demand(self.oracle.quarantined == 0, "a task has failed, and no worker was killed three times")
        for job in self.deleted:
            status, _ = self.server.ask("GET", f"/api/v1/media/{job.media}")
            demand(status == 404, f"the deleted media {job.media} is answered {status}")
        self.check_tasks()
        self.server.wait_reconciled(PATIENCE)
        demand(self.server.stop() == 0, "the server did not stop by itself")
        check_directory(self.oracle, self.folder / "data")

    def adopt(self, media):
        """One that was not acknowledged: an upload whose answer was lost has made it, once."""
        clip = [hashlib.sha256(c).hexdigest() for c in self.clips].index(media["sha256"])
        demand(self.unanswered.get(clip, 0) > 0, f"the media {media['id']} was never sent, or twice made")
        self.unanswered[clip] -= 1
        self.oracle.uploaded({"id": media["id"], "task_id": media["task_id"], "sha256": media["sha256"]}, clip)

    def check_tasks(self):
        status, answer = self.server.ask("GET", "/api/v1/tasks?limit=200")
        demand(status == 200, f"the list of tasks is answered {status}")
        expected = set(self.oracle.jobs) | {job.task for job in self.replaced
                                            if job.media not in {d.media for d in self.deleted}}
        listed = {task["task_id"]: task["status"] for task in answer["items"]}
        demand(expected <= set(listed), f"tasks are missing: {expected - set(listed)}")
        demand(len(set(listed) - expected) <= self.unanswered_tasks, f"tasks that nobody asked for: {listed}")
        stuck = {task: state for task, state in listed.items() if state not in TERMINAL}
        demand(not stuck, f"tasks that have not ended: {stuck}")


def check_directory(oracle, data):
    """With no program on it: every file is accounted for."""
    # A backup reads, and who only reads leaves the index and the empty log of the database.
    log = data / "durascribe.db-wal"
    demand(not log.exists() or log.stat().st_size == 0, "the log of the database was not emptied")
    others = {entry.name for entry in data.iterdir()} - {"durascribe.db", "durascribe.db-wal", "durascribe.db-shm",
                                                         "blobs", "lock"}
    demand(not others, f"left in the data directory: {sorted(others)}")
    oracle.check_files(data)


def rows(data, query, at_rest=False):
    """With no program on the data (`at_rest`) it is read without leaving a trace."""
    how = "immutable=1" if at_rest else "mode=ro"
    database = sqlite3.connect(f"file:{data}/durascribe.db?{how}", uri=True, timeout=5)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def until(holds, words, patience=PATIENCE):
    deadline = own_time() + patience
    while not holds():
        demand(own_time() < deadline, f"waited {patience} s in vain for: {words}")
        time.sleep(0.005)  # between two looks; the deadline bounds them


def send(pid, what):
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        pass  # it went with its server
