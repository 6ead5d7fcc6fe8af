"""Lists of small edits with the embedded model, and whether a batch of them came out as it should: for the scripts that
cut batches into parts and break them off."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

METHODS = [
    {"method": "sdedit"},
    {"method": "ddpm-inversion", "source-prompt": "a red ball on grass"},
    {"method": "generate"},
    {"method": "dds", "source-prompt": "a red ball on grass"},
]


class Batch:
    """A list of jobs in a folder, and what an undisturbed run makes of it."""

    def __init__(self, program, work, count=40, steps=30):
        self.program, self.work = program, pathlib.Path(work)
        self.environment = dict(os.environ, PENTIMENTO_MODEL=str(ROOT / "Weights/embedded"))
        # The caller may itself be a part of something.
        for name in list(self.environment):
            if name.startswith(("SLURM_", "PARALLEL_")) or name == "JOB_COMPLETION_INDEX":
                del self.environment[name]
        shutil.copy(ROOT / "Examples/pairs/colour-ball.source.png", self.work / "photo.png")
        self.names = [f"edit-{i:02}" for i in range(count)]
        with open(self.work / "jobs.jsonl", "w") as lines:
            for i, name in enumerate(self.names):
                job = dict(METHODS[(i + i // 4) % len(METHODS)], id=name, prompt="a blue ball on grass", seed=i, steps=steps)
                # Those of one size go through the networks together, so every part has something done before its end.
                job["size"] = 64 if i < count // 2 else 96
                if job["method"] != "generate":
                    job["image"] = "photo.png"
                lines.write(json.dumps(job) + "\n")
        start = time.monotonic()
        self.run(["batch", "jobs.jsonl", "--out", "whole"])
        self.seconds = time.monotonic() - start
        self.whole = self.pictures("whole")
        claim(sorted(self.whole) == self.names, "the undisturbed run makes every picture")
        claim(len(set(self.whole.values())) == count, "no two pictures are the same")
        print(f"{count} jobs undisturbed, in one piece: {self.seconds:.1f} s", flush=True)

    def run(self, words, status=0, **options):
        """Runs the program to its end."""
        process = self.start(words, **options)
        claim(process.wait() == status, f"{' '.join(words)} ends with {status}, not {process.returncode}")

    def start(self, words, environment={}):
        with open(self.work / "errors", "ab") as errors:
            return subprocess.Popen(
                [self.program] + words, cwd=self.work, env=dict(self.environment, **environment),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)

    def pictures(self, out):
        return {file.stem: file.read_bytes() for file in (self.work / out).glob("*.png")}

    def events(self, out, journal="batch*.journal"):
        """Lines of journals, those that are whole."""
        for file in sorted((self.work / out).glob(journal)):
            for line in file.read_bytes().split(b"\n")[:-1]:
                yield json.loads(line)

    def counts(self, out, journal="batch*.journal"):
        """How many jobs a journal says began, and how many were done."""
        events = list(self.events(out, journal))
        return tuple(len({e["job"] for e in events if e["event"] == word}) for word in ("began", "done"))

    def is_under_way(self, out, journal):
        """Whether something is done, and something else has begun and its progress is on disk."""
        jobs = {word: {e["job"] for e in self.events(out, journal) if e["event"] == word} for word in ("began", "done")}
        files = [self.work / out / f"{job}.checkpoint" for job in jobs["began"] - jobs["done"]]
        try:
            return bool(jobs["done"]) and any(file.stat().st_size > 0 for file in files)
        except FileNotFoundError:
            return False

    def wait_until_under_way(self, out, journal, limit=120):
        wait(lambda: self.is_under_way(out, journal), f"{out}/{journal} is under way", limit, 0.01)

    def start_and_wait(self, words, environment, out, journal="batch.journal", limit=120):
        """Starts a process, and lets it begin with its jobs and go on for a while."""
        def starts():
            return sum(event["event"] == "started" for event in self.events(out, journal))

        def has_begun():
            claim(process.poll() is None, f"{out} is under way, and has not ended with {process.returncode}")
            began, done = self.counts(out, journal)
            return starts() > before and began > done

        before = starts()
        process = self.start(words, environment)
        wait(has_begun, f"{out} is under way", limit, 0.01)
        return process

    def stamps(self, out):
        """By which a picture that was written twice is known."""
        files = (self.work / out).glob("*.png")
        return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}

    def check(self, out, parts, stamps={}):
        """Every picture once, as it should be, and nothing else but journals and summaries."""
        made = self.pictures(out)
        claim(sorted(made) == self.names, f"{out} has every picture: {len(made)} of {len(self.names)}")
        wrong = [name for name in self.names if made[name] != self.whole[name]]
        claim(not wrong, f"{out} has the bytes of the undisturbed run: {wrong}")
        done = [event["job"] for event in self.events(out) if event["event"] == "done"]
        claim(sorted(done) == self.names, f"every job is recorded as done once: {len(done)} lines")
        failed = [event for event in self.events(out) if event["event"] == "failed"]
        claim(not failed, f"nothing failed on the way: {failed}")
        suffixes = [f".{i + 1}of{parts}" for i in range(parts)] if parts > 1 else [""]
        files = {f"{name}.png" for name in self.names}
        files |= {f"batch{s}.journal" for s in suffixes} | {f"summary{s}.json" for s in suffixes}
        there = {file.name for file in (self.work / out).iterdir()}
        claim(there == files, f"nothing else is in {out}: {sorted(there ^ files)}")
        last = self.stamps(out)
        again = [name for name, stamp in stamps.items() if last[name] != stamp]
        claim(not again, f"no picture was written again: {again}")


def claim(holds, sentence):
    if not holds:
        sys.exit(f"not so: {sentence}")


def wait(condition, sentence, limit, pause=0.1):
    end = time.monotonic() + limit
    while not condition():
        claim(time.monotonic() < end, f"{sentence} within {limit} s")
        time.sleep(pause)


def status_of(process):
    """What a shell would call the end of a process."""
    code = process.wait()
    return 128 - code if code < 0 else code


def end(process):
    """Ends a process that was started here."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
