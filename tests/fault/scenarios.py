"""What the failpoint campaign plays, life after life. A scenario takes a stage (stage.py), and ends
with every check; each of its steps allows for the one death that the stage may have in it."""
import hashlib, http.server, json, signal, subprocess, threading
from harness import MODELS, PATIENCE, TERMINAL, demand, workers_of
from stage import ServedStage, Stage, TooLate, check_directory, rows, send, until


class Kept(ServedStage):
    """A server from nothing: an upload under a key, asked for twice; one more, deleted when it is done."""

    def play(self):
        self.start()
        first = self.upload(0, key="the first")
        self.until_ended(first)
        self.oracle.jobs.pop(first.task)
        again = self.upload(0, key="the first")
        demand(again.media == first.media, "one key has made two media")
        self.upload(1)
        deleted = self.upload(2)
        self.until_ended(deleted)
        self.delete(deleted)
        self.stop()
        self.check()


class Cancelled(ServedStage):
    """A cancel while the recogniser is at work, and a retry."""

    def play(self):
        self.start()
        self.hold_speech_workers()
        cancelled = self.upload(0)
        self.until_recognising(cancelled)
        self.cancel(cancelled)
        self.until_ended(cancelled)
        self.retry(cancelled)
        self.until_ended(cancelled)
        self.stop()
        self.check()


class Crashed(ServedStage):
    """A worker that is killed at work: its chunk is done again."""

    def play(self):
        self.start()
        workers = self.hold_speech_workers()
        crashed = self.upload(0)
        self.until_recognising(crashed)
        for worker in workers:
            send(worker, signal.SIGKILL)
        self.until_ended(crashed)
        self.stop()
        self.check()


class Partly(ServedStage):
    """One of two parts whose worker is killed at each attempt: the other is delivered, and a retry does that one alone."""

    LONG = 3  # of the clips

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, environment={"MAX_CONCURRENT_TRANSCRIPTIONS": "2", "RETRY_BACKOFF_SECONDS": "0"}, **more)

    def play(self):
        self.start()
        job = self.upload(self.LONG, key="parts")
        self.died_before = self.died
        kept = self.give_each_a_part()
        until(lambda: self.gone() or self.kill_others(kept) or self.none_done() and self.parts("failed"), "a part is given up")
        for worker in workers_of(self.server.process.pid, "speech"):
            send(worker, signal.SIGCONT)
        self.until_ended(job)
        task = self.task(job)
        if self.died == self.died_before:
            demand(task["status"] == "partial_failure" and task["error"]["class"] == "crash", f"it became {task}")
        if task["status"] in ("partial_failure", "failed"):
            self.retry(job)
        self.until_ended(job)
        self.stop()
        self.check()

    def gone(self):
        """Whether the server died meanwhile, and its workers with it."""
        return self.died != self.died_before or self.server.process.poll() is not None

    def parts(self, state):
        return rows(self.folder / "data", f"SELECT count(*) FROM units WHERE step = 2 AND state = '{state}'")[0][0]

    def none_done(self):
        """A worker that was neither stopped nor killed in time has done its part."""
        if self.parts("completed"):
            raise TooLate("a part was done before its worker was stopped")
        return True

    def give_each_a_part(self):
        """Both workers stand still, each with a part; of them, the one that is to keep its part."""
        def both():
            found = workers_of(self.server.process.pid, "speech")
            for worker in found:
                send(worker, signal.SIGSTOP)
            return self.gone() or (self.none_done() and len(found) == 2 and self.parts("processing") == 2)
        until(both, "each of two workers has a part")
        return workers_of(self.server.process.pid, "speech")[:1]

    def kill_others(self, kept):
        for worker in workers_of(self.server.process.pid, "speech"):
            if worker not in kept:
                send(worker, signal.SIGKILL)


class Restarted(ServedStage):
    """A server that is killed with work and half an upload in progress; the next goes on by itself."""

    def play(self):
        self.start()
        self.hold_speech_workers()
        interrupted = self.upload(0)
        self.until_recognising(interrupted)
        half = self.half_an_upload(1)
        self.kill()
        half.close()
        self.start()
        self.until_ended(interrupted)
        self.stop()
        self.check()


class Pieces(ServedStage):
    """Uploads in pieces: one to its end, with a wrong checksum on the way; one taken back; one without its row."""

    def play(self):
        self.start()
        whole, half = self.begin_pieces(0, "whole"), self.begin_pieces(1, "half")
        self.send_piece(whole, 0, 1000)
        status, _ = self.send_piece(whole, 0, 1000, {"Upload-Checksum": "md5 AAAAAAAAAAAAAAAAAAAAAA=="})
        demand(status in (0, 460), f"a wrong checksum is answered {status}")
        self.send_piece(half, 1, 1000)
        self.terminate(half)
        first = self.upload_in_pieces(whole, 0)
        self.until_ended(first)
        self.stop()
        (self.folder / "data/blobs/uploads/0190a1b2-0000-7000-8000-000000000001").write_bytes(b"expired")
        self.start()
        self.stop()
        self.check()


class Anew(ServedStage):
    """A new task over a finished media, and with force another in place of that while it runs."""

    def play(self):
        self.start()
        finished = self.upload(0)
        self.until_ended(finished)
        workers = self.hold_speech_workers()
        replaced = self.reprocess(finished, force=False)
        self.until_recognising(replaced)
        newest = self.reprocess(replaced, force=True)
        for worker in workers:   # a spare goes on with the newest; the other has been killed, or is about to be
            send(worker, signal.SIGCONT)
        self.until_ended(newest)
        self.stop()
        self.check()


class Renamed(ServedStage):
    """A media that is renamed until the log of the database is so long that it is moved into it."""

    def play(self):
        self.start()
        job = self.upload(0)
        self.until_ended(job)
        database = self.folder / "data/durascribe.db"
        untouched, names = database.stat().st_mtime_ns, 0
        while database.stat().st_mtime_ns == untouched and not self.died:
            names += 1
            demand(names <= 5000, "the log of the database only grows")
            self.rename(job, f"name {names}")
        status = 0
        while status == 0:  # it dies beside this
            status, media = self.ask("GET", f"/api/v1/media/{job.media}")
        demand(status == 200 and media["title"] == f"name {names}", f"the last name is lost: {status} {media}")
        self.stop()
        self.check()

    def rename(self, job, title):
        status = 0
        while status == 0:
            status, answer = self.ask("PATCH", f"/api/v1/media/{job.media}", json.dumps({"title": title}),
                                      {"Content-Type": "application/json"})
        demand(status == 200 and answer["title"] == title, f"a new name is answered {status} {answer}")


class Told(ServedStage):
    """A webhook to a receiver that refuses first: it is told of all of a task, in its order."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, environment={"ALLOW_PRIVATE_ADDRESSES": "127.0.0.1"}, **more)
        self.taken, self.refusals = [], 1
        self.receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.receiving())
        threading.Thread(target=self.receiver.serve_forever, daemon=True).start()

    def receiving(self):
        stage = self

        class Receiving(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                refused, stage.refusals = stage.refusals > 0, max(0, stage.refusals - 1)
                if not refused:
                    stage.taken.append(event)
                self.send_response(503 if refused else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        return Receiving

    def play(self):
        self.start()
        body = json.dumps({"url": f"http://127.0.0.1:{self.receiver.server_port}/", "types": ["task.created", "task.state"]})
        while self.ask("POST", "/api/v1/webhooks", body, {"Content-Type": "application/json"})[0] != 201:
            demand(self.died, "a webhook was not made")
        job = self.upload(0)
        self.until_ended(job)
        # It may die while it tells the rest: then it is to be started again.
        until(lambda: self.ask("GET", "/health/live") and "completed" in self.states(job), "the end of the task is told")
        self.stop()
        self.check()
        # At least once, and in order: what came first of each is in the order in which it happened.
        seen = list(dict.fromkeys(e["data"]["seq"] for e in self.of(job)))
        happened = [seq for (seq,) in rows(self.folder / "data", "SELECT seq FROM events WHERE task_id = "
                    f"'{job.task}' AND type IN ('task.created', 'task.state') ORDER BY seq", at_rest=True)]
        demand(seen == happened, f"told of {seen}, happened {happened}")

    def of(self, job):
        return [e for e in list(self.taken) if e["data"].get("task_id") == job.task]

    def states(self, job):
        return [e["data"].get("state") if e["type"] == "task.state" else None for e in self.of(job)]

    def end(self):
        super().end()
        self.receiver.shutdown()


class Fetched(ServedStage):
    """Two files fetched, one of them as a batch, from a server that cuts the first connection for each; a third in a watched folder."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, environment={"ALLOW_PRIVATE_ADDRESSES": "127.0.0.1", "RETRY_BACKOFF_SECONDS": "0"}, **more)
        self.watched = self.folder / "watched"
        self.watched.mkdir()
        self.server.environment.update({"WATCH_FOLDERS": str(self.watched), "WATCH_SETTLE_SECONDS": "1", "WATCH_OUTPUT": "txt"})
        self.cut = {0, 1}
        self.files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.serving())
        threading.Thread(target=self.files.serve_forever, daemon=True).start()

    def serving(self):
        stage = self

        class Serving(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                clip = int(self.path.strip("/").split(".")[0])
                whole, first = stage.clips[clip], 0
                if self.headers["If-Range"] == '"one"':
                    first = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
                self.send_response(206 if first else 200)
                self.send_header("ETag", '"one"')
                self.send_header("Content-Length", str(len(whole) - first))
                if first:
                    self.send_header("Content-Range", f"bytes {first}-{len(whole) - 1}/{len(whole)}")
                self.end_headers()
                rest = whole[first:]
                if clip in stage.cut:
                    stage.cut.discard(clip)
                    rest = rest[:len(rest) // 2]
                try:
                    self.wfile.write(rest)
                except OSError:
                    pass  # who asked is gone

            def log_message(self, *_):
                pass
        return Serving

    def play(self):
        self.start()
        url = f"http://127.0.0.1:{self.files.server_port}/%d.wav"
        batch = self.ask_for("/api/v1/batches", {"items": [{"url": url % 0}]})
        self.fetched(batch["items"][0], 0)
        self.fetched(self.ask_for("/api/v1/media", {"url": url % 1}), 1)
        jobs = list(self.oracle.jobs.values())
        (self.watched / "clip2.wav").write_bytes(self.clips[2])
        self.unanswered[2] = 1  # the media that comes of it
        until(lambda: self.task_of_third() is not None, "the watched file is taken")
        beside = self.watched / "clip2.txt"
        until(lambda: self.task_of_third() in TERMINAL and beside.exists(), "its transcript beside it")
        self.until_ended(*jobs)
        self.stop()
        self.check()
        demand(beside.read_bytes() == self.oracle.transcripts[2][0], "what was put beside a watched file is another text")

    def ask_for(self, target, body):
        status = 0
        while status == 0:
            status, answer = self.ask("POST", target, json.dumps(body),
                                      {"Content-Type": "application/json", "Idempotency-Key": target})
        demand(status == 201, f"{target} is answered {status} {answer}")
        return answer

    def fetched(self, answer, clip):
        self.oracle.uploaded({"id": answer["media_id"], "task_id": answer["task_id"],
                              "sha256": hashlib.sha256(self.clips[clip]).hexdigest()}, clip)

    def task_of_third(self):
        """The status of the watched file's media."""
        status, answer = self.ask("GET", "/api/v1/media?search=clip2")
        return answer["items"][0]["status"] if status == 200 and answer["items"] else None

    def end(self):
        super().end()
        self.files.shutdown()


class Patient(ServedStage):
    """A worker that stands still while its lease is renewed, until the time of its task is over."""

    def __init__(self, *arguments, **more):
        # Above a third of a lease, which is when it is renewed.
        super().__init__(*arguments, environment={"TRANSCRIPTION_TIMEOUT": "12"}, **more)

    def play(self):
        self.start()
        workers = self.hold_speech_workers()
        late = self.upload(0)
        self.until_recognising(late)
        # A first worker that uses up some of the task's time, so that the limit of the task and not
        # that of the second attempt is met first.
        until(lambda: self.ended_or_worked(late, 1500), "some time of work is on record")
        for worker in workers:
            send(worker, signal.SIGKILL)
        self.hold_speech_workers(other_than=workers)
        self.until_ended(late)
        task = self.task(late)
        if task["status"] == "completed" and not self.died:
            raise TooLate("its second worker had done it before it was stopped")
        demand((task["status"] == "failed" and task["error"]["code"] == "task_timeout") or
               (self.died and task["status"] == "completed"), f"a task without an end became {task}")
        if task["status"] == "failed":
            self.retry(late)
        self.stop()
        self.check()

    def ended_or_worked(self, job, milliseconds):
        if self.task(job)["status"] in TERMINAL:
            return True
        worked = rows(self.folder / "data", "SELECT max(worked_ms) FROM tasks")[0][0]
        return worked is not None and worked >= milliseconds


class Commands(Stage):
    """The command line without a server: transcribe, interrupted and again; backup and restore."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.data, self.out = self.folder / "data", self.folder / "out"
        self.files = []
        for clip in (0, 1):
            self.files.append(self.folder / f"clip{clip}.wav")
            self.files[clip].write_bytes(self.clips[clip])
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "MAX_CONCURRENT_TRANSCRIPTIONS": "1", **MODELS}
        self.process = None

    def begin(self, *arguments, life=True):
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**self.environment, **(self.environment_of_next_life() if life else {})})

    def finish(self, *expected):
        """Its exit code; None: it died where it was to die."""
        code = self.process.wait(timeout=PATIENCE)
        if code < 0:
            self.note_death(code)
            return None
        demand(code in expected, f"exit code {code} instead of {expected}: {self.process.args}")
        return code

    def run(self, *arguments):
        """Until it has done its work; whether it had to be run twice."""
        self.begin(*arguments)
        if self.finish(0) is not None:
            return False
        self.begin(*arguments, life=False)
        self.finish(0)
        return True

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def interrupt_while_it_works(self, *arguments):
        self.begin(*arguments)
        found = []

        def there():
            found[:] = workers_of(self.process.pid, "speech")
            return found or self.process.poll() is not None
        until(there, "a speech worker")
        for worker in found:
            send(worker, signal.SIGSTOP)
        recognising = "SELECT 1 FROM units WHERE step = 2 AND state = 'processing'"
        until(lambda: self.process.poll() is not None or rows(self.data, recognising), "the recogniser is at work")
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        if self.finish(130, 0) == 0:
            raise TooLate("it had done its work before it was interrupted")

    def transcribe(self, *more, clips=(0, 1), data=None):
        return ("transcribe", "--data", data or self.data, "--format", "txt,srt", "--output", self.out, *more,
                *(self.files[clip] for clip in clips))

    def play(self):
        self.run(*self.transcribe(clips=[0]))
        self.interrupt_while_it_works(*self.transcribe())
        self.run(*self.transcribe())
        self.check_outputs()
        self.run(*self.transcribe("--overwrite"))
        self.check_outputs()

        copy, elsewhere = self.folder / "copy", self.folder / "elsewhere"
        self.begin("backup", copy, "--data", self.data)
        if self.finish(0) is None and not copy.exists():
            self.begin("backup", copy, "--data", self.data, life=False)
            self.finish(0)
        self.begin("restore", copy, "--data", elsewhere)
        if self.finish(0) is None and not (elsewhere / "durascribe.db").exists():
            self.begin("restore", copy, "--data", elsewhere, life=False)
            self.finish(0)
        demand(not list(self.folder.glob("*.partial")), "a part of a backup was left")
        # Nothing is recognised again there: all of it came with the restore.
        before = rows(self.data, "SELECT count(*) FROM attempts", at_rest=True)
        self.run(*self.transcribe(data=elsewhere))
        self.check_outputs()
        demand(rows(elsewhere, "SELECT count(*) FROM attempts", at_rest=True) == before, "restored work was done again")
        for data in (self.data, elsewhere):
            check_directory(self.oracle, data)

    def check_outputs(self):
        names = {path.name for path in self.out.iterdir()}
        if self.died and self.visit.name == "output.named":
            # Between two system calls a file that is to replace another has a name of its own.
            names = {name for name in names if not name.startswith(".durascribe-")}
        demand(names == {"clip0.srt", "clip0.txt", "clip1.srt", "clip1.txt"}, f"the output is {sorted(names)}")
        for clip in (0, 1):
            words = (self.out / f"clip{clip}.txt").read_bytes()
            demand(words == self.oracle.transcripts[clip][0], f"the text of clip{clip} is {words!r}")


# The first that reaches a name is the one in which ./test visits it.
SCENARIOS = {"crashed": Crashed, "cancelled": Cancelled, "partly": Partly, "restarted": Restarted, "kept": Kept, "pieces": Pieces, "anew": Anew,
             "told": Told, "fetched": Fetched,
             "commands": Commands, "renamed": Renamed, "patient": Patient}
# These take long: of them, only what no other reaches is visited.
LONG = ("renamed", "patient")
