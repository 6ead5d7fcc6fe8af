"""The examples for systemd and Kubernetes, run here as those would run them.

    supervisors.py PROGRAM FOLDER [systemd] [kubernetes]

Tools/check-supervisors says more.
"""
import configparser
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

from batches import ROOT, Batch, claim, status_of

# What the command ends with (`Sources/Pentimento/Pentimento.docc/Command.md`), by what a supervisor should do about it.
GOES_ON, FAILED, HOPELESS, DEATHS = 75, 1, (64, 65, 66, 69), (71, 73, 128 + 9, 128 + 11)


# MARK: systemd


class Unit:
    """A unit file: its sections, keys and values."""

    def __init__(self, path):
        self.path = path
        self.text = path.read_text()
        parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=["="], comment_prefixes="#")
        parser.optionxform = str
        parser.read_string(self.text)
        self.sections = parser

    def value(self, section, key):
        return self.sections[section][key]

    def numbers(self, key):
        return {int(word) for word in self.sections["Service"].get(key, "").split()}

    def words(self, key):
        """A command line, as systemd hands it over: specifiers and dollars are doubled in the file."""
        return [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(self.value("Service", key))]

    def restarts(self, status):
        """Whether systemd starts the service again after this end, when nobody has stopped it.

        (systemd.service(5), Restart=: what is in SuccessExitStatus= is a success, on-failure is all else.)
        """
        clean = status == 0 or status in self.numbers("SuccessExitStatus")
        if status in self.numbers("RestartForceExitStatus"):
            return True
        if status in self.numbers("RestartPreventExitStatus"):
            return False
        return self.value("Service", "Restart") == "on-failure" and not clean


def zone(hour, minute, second=0):
    """A time zone where it is now so late."""
    now = int(time.time()) % 86400
    west = (now - (hour * 3600 + minute * 60 + second)) % 86400
    return f"HERE{west // 3600}:{west // 60 % 60:02}:{west % 60:02}"


def verify(batch, service, timer):
    """`systemd-analyze verify` of both files, with the program that is tried here in the place of the installed one."""
    units = batch.work / "units"
    units.mkdir()
    installed = service.words("ExecStart")[0]
    for unit in (service, timer):
        (units / unit.path.name).write_text(unit.text.replace(installed, batch.program))
    run = subprocess.run(
        ["systemd-analyze", "verify"] + [str(units / unit.path.name) for unit in (service, timer)],
        capture_output=True, text=True)
    claim(run.returncode == 0 and not run.stderr.strip(), f"systemd-analyze verify says nothing: {run.stderr}")
    calendar = timer.value("Timer", "OnCalendar")
    run = subprocess.run(["systemd-analyze", "calendar", calendar], capture_output=True, text=True)
    claim(run.returncode == 0, f"{calendar} is a time: {run.stderr}")
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(units / service.path.name)],
        capture_output=True, text=True)
    exposure = re.search(r"exposure level .*: ([0-9.]+) (\w+)", run.stdout)
    print(f"systemd-analyze: verify says nothing; exposure {exposure[1] if exposure else 'not known'}", flush=True)


def check_hours(service):
    """The condition holds from 22:00 to 06:00, local time."""
    for (hour, minute), holds in {(21, 59): False, (22, 0): True, (0, 0): True, (5, 58): True, (6, 0): False,
                                  (8, 9): False, (12, 0): False}.items():
        run = subprocess.run(service.words("ExecCondition"), env=dict(os.environ, TZ=zone(hour, minute)))
        claim((run.returncode == 0) == holds, f"the condition at {hour}:{minute:02} is {holds}: {run.returncode}")


def check_restarts(service):
    expected = {0: False, GOES_ON: False, FAILED: False} | dict.fromkeys(HOPELESS, False) | dict.fromkeys(DEATHS, True)
    for status, restarts in expected.items():
        claim(service.restarts(status) == restarts, f"a restart after {status} is {restarts}")


def systemd(batch):
    folder = ROOT / "Examples/systemd"
    service, timer = Unit(folder / "pentimento-batch.service"), Unit(folder / "pentimento-batch.timer")
    verify(batch, service, timer)
    check_hours(service)
    check_restarts(service)
    words = service.words("ExecStart")[1:]
    out = words[words.index("--out") + 1]
    hour, minute = map(int, words[words.index("--until") + 1].split(":"))
    patience = {"5min": 300}[service.value("Service", "TimeoutStopSec")]
    # The cache is the unit's; the model is the embedded one.
    night = {"TZ": zone(1, 0), "XDG_CACHE_HOME": str(batch.work / "cache")}
    stamps = {}

    def broken_off(name, status, *signals):
        """Starts the line, and sends what systemd sends when it is under way."""
        process = batch.start_and_wait(words, night, out)
        time.sleep(batch.seconds / 5)
        start = time.monotonic()
        for number in signals:
            process.send_signal(number)
        found = status_of(process)
        took = time.monotonic() - start
        claim(found == status, f"{name} ends it with {status}, not {found}")
        claim(took < patience, f"{name} ends it within {patience} s: {took:.1f}")
        check_kept()
        print(f"{name}: status {found} after {took:.1f} s, (begun, done) are {batch.counts(out)}; "
              f"{'started again' if service.restarts(found) else 'left for the timer'}", flush=True)

    def check_kept():
        now = batch.stamps(out)
        claim(all(now.get(file) == stamp for file, stamp in stamps.items()), "what was done is as it was")
        stamps.update(now)

    broken_off("SIGTERM, SIGCONT", GOES_ON, signal.SIGTERM, signal.SIGCONT)
    broken_off("SIGTERM, SIGCONT to a stopped process", GOES_ON, signal.SIGSTOP, signal.SIGTERM, signal.SIGCONT)
    broken_off("SIGKILL, past the time or the memory allowed", 137, signal.SIGKILL)
    # Two seconds before the hour of --until.
    evening = dict(night, TZ=zone(hour - 1, 59, 58) if minute == 0 else zone(hour, minute - 1, 58))
    start = time.monotonic()
    claim(status_of(batch.start(words, evening)) == GOES_ON, f"--until {hour}:{minute:02} ends it with {GOES_ON}")
    check_kept()
    print(f"--until: status {GOES_ON} after {time.monotonic() - start:.1f} s, (begun, done) are {batch.counts(out)}",
          flush=True)
    claim(status_of(batch.start(words, night)) == 0, "the next night finishes it")
    batch.check(out, 1, stamps)
    (batch.work / out).rename(batch.work / "nights")
    print(f"systemd: {len(batch.names)} pictures, each once", flush=True)


# MARK: Kubernetes


def quantity(text):
    """Bytes of `1Gi`."""
    units = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
    number, unit = re.fullmatch(r"([0-9]+)([A-Za-z]*)", str(text)).groups()
    return int(number) * units[unit]


class IndexedJob:
    """What a manifest says of pods, and what becomes of their ends."""

    def __init__(self, manifest):
        claim((manifest["apiVersion"], manifest["kind"]) == ("batch/v1", "Job"), "it is a Job")
        self.spec = manifest["spec"]
        self.pod = self.spec["template"]["spec"]
        (self.container,) = self.pod["containers"]

    def environment(self, index):
        """What the container sees, as the cluster makes it."""
        made = {"JOB_COMPLETION_INDEX": str(index)}
        for entry in self.container["env"]:
            if "value" in entry:
                made[entry["name"]] = entry["value"]
                continue
            field = entry["valueFrom"]["resourceFieldRef"]
            claim(field["containerName"] == self.container["name"], "a resource is the container's own")
            kind, resource = field["resource"].split(".")
            made[entry["name"]] = str(quantity(self.container["resources"][kind][resource]))
        return made

    def words(self, environment):
        """The command and its arguments, with $(NAME) replaced."""
        words = self.container["command"] + self.container.get("args", [])
        made = [re.sub(r"\$\((\w+)\)", lambda match: environment[match[1]], str(word)) for word in words]
        claim(not any("$(" in word for word in made), f"all names are known: {made}")
        return made

    def action(self, status):
        """Of the first rule for this exit status; Count where there is none."""
        for rule in self.spec["podFailurePolicy"]["rules"]:
            codes = rule.get("onExitCodes")
            if codes is None:
                continue
            claim(codes["containerName"] == self.container["name"], "a rule is about the container")
            if (status in codes["values"]) == (codes["operator"] == "In"):
                return rule["action"]
        return "Count"


def check_manifest(job):
    spec = job.spec
    claim(spec["completionMode"] == "Indexed", "every part is an index")
    claim(spec["parallelism"] <= spec["completions"], "no more pods than parts")
    claim(job.pod["restartPolicy"] == "Never", "podFailurePolicy decides")
    claim(any(rule["action"] == "Ignore" and {"type": "DisruptionTarget", "status": "True"} in rule["onPodConditions"]
              for rule in spec["podFailurePolicy"]["rules"] if "onPodConditions" in rule),
          "a pod that was told to go counts for nothing")
    expected = {GOES_ON: "Ignore", FAILED: "FailIndex"}
    expected |= dict.fromkeys(HOPELESS, "FailJob") | dict.fromkeys(DEATHS, "Count")
    for status, action in expected.items():
        claim(job.action(status) == action, f"{status} means {action}, not {job.action(status)}")
    claim(spec["backoffLimitPerIndex"] >= 1, "a death that counts is tried again")
    mounts = {mount["name"] for mount in job.container["volumeMounts"]}
    claim(mounts <= {volume["name"] for volume in job.pod["volumes"]}, "what is mounted is a volume of the pod")
    words = job.words(job.environment(0))
    claim(words[0] == "pentimento" and f"--shard=/{spec['completions']}" in words, "as many parts as completions")
    limit = quantity(job.container["resources"]["limits"]["memory"])
    claim(f"--max-ram={limit}" in words, f"the budget is the limit, {limit} bytes: {words}")


def kubernetes(batch):
    import yaml

    job = IndexedJob(yaml.safe_load((ROOT / "Examples/kubernetes/pentimento-batch.yaml").read_text()))
    check_manifest(job)
    (out,) = [word.removeprefix("--out=") for word in job.words(job.environment(0)) if word.startswith("--out=")]
    count = job.spec["completions"]

    def pod(index, **replaced):
        """The words for a process, and what it sees."""
        environment = job.environment(index) | {"PENTIMENTO_MODEL": batch.environment["PENTIMENTO_MODEL"]} | replaced
        return job.words(environment)[1:], environment

    # With nothing to go on from: what would end every try alike is not tried again.
    nowhere = {"PENTIMENTO_MODEL": str(batch.work / "none")}
    for name, replaced in {"no model": nowhere, "no memory": {"MEMORY_LIMIT": "1000000"}}.items():
        status = status_of(batch.start(*pod(0, **replaced)))
        claim(job.action(status) in ("FailIndex", "FailJob"), f"{name} is not tried again: {status}")
        print(f"{name}: status {status}, {job.action(status)}", flush=True)
    shutil.rmtree(batch.work / out, ignore_errors=True)

    ends = {2: signal.SIGTERM, 5: signal.SIGKILL}
    for index in range(count):
        counted, statuses = 0, []
        while not statuses or statuses[-1] != 0:
            if index in ends and not statuses:
                process = batch.start_and_wait(*pod(index), out, f"batch.{index + 1}of{count}.journal")
                process.send_signal(ends[index])
            else:
                process = batch.start(*pod(index))
            statuses.append(status_of(process))
            if statuses[-1] != 0:
                action = job.action(statuses[-1])
                claim(action in ("Ignore", "Count"), f"a pod that ends with {statuses[-1]} is made again, not {action}")
                counted += action == "Count"
                claim(counted <= job.spec["backoffLimitPerIndex"], f"index {index} succeeds: {statuses}")
        if index in ends:
            print(f"index {index}: statuses {statuses}, {counted} counted", flush=True)
            claim(statuses == [GOES_ON if ends[index] == signal.SIGTERM else 137, 0], f"it was broken off: {statuses}")
    batch.check(out, count)
    print(f"kubernetes: {len(batch.names)} pictures of {count} indices, each once", flush=True)


def main():
    program, work, *parts = sys.argv[1:]
    batch = Batch(os.path.realpath(program), work)
    for part in parts:
        {"systemd": systemd, "kubernetes": kubernetes}[part](batch)


main()
