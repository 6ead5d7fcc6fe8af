"""A batch cut into parts by Slurm and by GNU parallel, with parts that are killed and begin again.

    shards.py PROGRAM FOLDER [slurm] [parallel]

Tools/shards says more.
"""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

from batches import ROOT, Batch, claim, end, wait

PARTS = 4

CONFIGURATION = """
ClusterName=shards
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmctldParameters=enable_configless
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=30
SchedulerParameters=sched_interval=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_port():
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


def processes(program, **words):
    """Numbers of processes of a program in whose environment these words are."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(folder / "exe") != program:
                continue
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if all(f"{name}={value}".encode() in environment for name, value in words.items()):
            found.append(int(folder.name))
    return found


class Slurm:
    """A controller, a node and their key, in a folder, as long as the block lasts."""

    def __init__(self, folder):
        self.folder = folder
        self.daemons = []
        self.environment = dict(os.environ, SLURM_CONF=str(folder / "slurm.conf"))

    def __enter__(self):
        for name in ("munge", "state", "spool"):
            (self.folder / name).mkdir(mode=0o700)
        key = self.folder / "munge/key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        host = socket.gethostname().split(".")[0]
        text = CONFIGURATION.format(
            host=host, port=free_port(), node_port=free_port(), folder=self.folder, user=user)
        (self.folder / "slurm.conf").write_text(text)
        try:
            munge = [f"--{what}={self.folder}/munge/{what.split('-')[0]}"
                     for what in ("key-file", "socket", "pid-file", "log-file", "seed-file")]
            self.start(["munged", "--foreground", "--force"] + munge)
            wait(lambda: (self.folder / "munge/socket").exists(), "munged listens", 30)
            self.start(["slurmctld", "-D"])
            self.start(["slurmd", "-D"])
            wait(lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T"), "the node is idle", 90)
        except BaseException:
            self.__exit__()
            raise
        version = self.ask("sinfo", "--version").strip()
        print(f"{version}: one node, {self.ask('sinfo', '-h', '-o', '%c').strip()} processors", flush=True)
        return self

    def start(self, words):
        with open(self.folder / f"{words[0]}.out", "wb") as out:
            self.daemons.append(
                subprocess.Popen(words, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out))

    def ask(self, *words):
        try:
            return subprocess.run(
                words, env=self.environment, capture_output=True, text=True, timeout=60).stdout
        except subprocess.TimeoutExpired:
            return ""

    def submit(self, batch, words, *options):
        """Queues the example's array; its number."""
        programs = batch.work / "programs"
        programs.mkdir(exist_ok=True)
        if not (programs / "pentimento").exists():
            (programs / "pentimento").symlink_to(batch.program)
        environment = dict(batch.environment, SLURM_CONF=self.environment["SLURM_CONF"])
        environment["PATH"] = f"{programs}:{environment['PATH']}"
        run = subprocess.run(
            ["sbatch", "--parsable", f"--output={self.folder}/%A_%a.out", *options,
             str(ROOT / "Examples/slurm/pentimento-batch.sbatch"), *words],
            cwd=batch.work, env=environment, capture_output=True, text=True)
        claim(run.returncode == 0, f"sbatch takes the array: {run.stderr}")
        return run.stdout.strip()

    def tasks(self, job):
        """State and number of restarts of every task."""
        found = {}
        for record in self.ask("scontrol", "-o", "show", "job", job).splitlines():
            fields = dict(word.split("=", 1) for word in record.split() if "=" in word)
            if fields.get("ArrayTaskId", "").isdigit():
                found[int(fields["ArrayTaskId"])] = (fields["JobState"], int(fields["Restarts"]))
        return found

    def __exit__(self, *_):
        if len(self.daemons) == 3:
            self.ask("scancel", "--full", "--signal=KILL", "--user", str(os.getuid()))
            self.ask("scancel", "--user", str(os.getuid()))
            deadline = time.monotonic() + 60
            while self.ask("squeue", "-h") and time.monotonic() < deadline:
                time.sleep(0.5)
        for daemon in reversed(self.daemons):
            end(daemon)


def slurm(batch):
    folder = batch.work / "cluster"
    folder.mkdir()
    with Slurm(folder) as cluster:
        cancelled(batch, cluster)
        array(batch, cluster)


def cancelled(batch, cluster):
    """A task that its owner cancels is not queued again by the example's own hand."""
    job = cluster.submit(batch, ["jobs.jsonl", "--out", "cancelled"])
    wait(lambda: batch.counts("cancelled")[0] > 0, "the array is under way", 120)
    cluster.ask("scancel", job)
    wait(lambda: not cluster.ask("squeue", "-h", "-j", job), "the array is gone", 120, 0.5)
    time.sleep(5)
    tasks = cluster.tasks(job)
    print(f"scancel: {tasks}", flush=True)
    claim(all(task == ("CANCELLED", 0) for task in tasks.values()), "a cancelled array stays so")


def array(batch, cluster):
    """Two of four tasks are broken off, and the array ends as if they had not been."""
    numbers, killed, requeued = [1, 4, 7, 10], 1, 2
    journals = [f"batch.{i + 1}of{PARTS}.journal" for i in range(PARTS)]
    start = time.monotonic()
    job = cluster.submit(batch, ["jobs.jsonl", "--out", "slurm"], "--array=1-11:3")
    batch.wait_until_under_way("slurm", journals[killed])
    victims = processes(batch.program, SLURM_ARRAY_JOB_ID=job, SLURM_ARRAY_TASK_ID=numbers[killed],
                        SLURM_CONF=cluster.environment["SLURM_CONF"])
    claim(len(victims) == 1, f"one process does the task: {victims}")
    os.kill(victims[0], signal.SIGKILL)
    stamps = batch.stamps("slurm")
    print(f"task {numbers[killed]}: killed, of 10 jobs (begun, done) are {batch.counts('slurm', journals[killed])}",
          flush=True)
    batch.wait_until_under_way("slurm", journals[requeued])
    stamps = batch.stamps("slurm") | stamps
    cluster.ask("scontrol", "requeue", f"{job}_{numbers[requeued]}")
    print(f"task {numbers[requeued]}: scontrol requeue, (begun, done) are {batch.counts('slurm', journals[requeued])}",
          flush=True)
    # Slurm lets two minutes pass before a task begins again.
    wait(lambda: {state for state, _ in cluster.tasks(job).values()} == {"COMPLETED"}, f"array {job} ends well", 480, 1)
    tasks = cluster.tasks(job)
    print(f"states and restarts: {tasks}; {time.monotonic() - start:.0f} s", flush=True)
    claim(sorted(tasks) == numbers, f"there are four tasks: {sorted(tasks)}")
    restarts = [tasks[number][1] for number in numbers]
    claim(restarts == [int(i in (killed, requeued)) for i in range(PARTS)], f"two were queued again: {restarts}")
    batch.check("slurm", PARTS, stamps)
    print(f"slurm: {len(batch.names)} pictures, each once", flush=True)


def parallel(batch):
    # The second of four dies once, and --retries runs it again under its number.
    home = batch.work / "parallel-home"
    home.mkdir()
    words = ["parallel", "-j4", "-N0", "--retries", "3", "--joblog", "joblog",
             batch.program, "batch", "jobs.jsonl", "--out", "parallel", "--threads", "1", "--shard", f"/{PARTS}"]
    start = time.monotonic()
    with open(batch.work / "errors", "ab") as errors:
        run = subprocess.Popen(
            words + [":::"] + [str(i) for i in range(PARTS)], cwd=batch.work, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=errors, env=dict(batch.environment, PARALLEL_HOME=str(home)))
    try:
        batch.wait_until_under_way("parallel", f"batch.2of{PARTS}.journal")
        victims = processes(batch.program, PARALLEL_SEQ=2, PARALLEL_PID=run.pid)
        claim(len(victims) == 1, f"one process does the part: {victims}")
        os.kill(victims[0], signal.SIGKILL)
        began, done = batch.counts("parallel", f"batch.2of{PARTS}.journal")
        stamps = batch.stamps("parallel")
        print(f"sequence number 2: killed with {began} jobs begun and {done} done", flush=True)
        claim(run.wait(300) == 0, f"parallel ends well, not with {run.returncode}")
    finally:
        end(run)
    runs = sum(event["event"] == "started" for event in batch.events("parallel", f"batch.2of{PARTS}.journal"))
    claim(runs == 2, f"the second part was begun twice: {runs}")
    batch.check("parallel", PARTS, stamps)
    print(f"parallel: {len(batch.names)} pictures, each once; {time.monotonic() - start:.0f} s", flush=True)


def main():
    program, work, *parts = sys.argv[1:]
    batch = Batch(os.path.realpath(program), work)
    for part in parts:
        {"slurm": slurm, "parallel": parallel}[part](batch)


main()
