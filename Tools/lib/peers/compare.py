"""What Tools/bench-peers does; its options are described there."""
import argparse
import os
import statistics
import subprocess
import sys
import time

from worker import PEERS, TITLES

HERE = os.path.dirname(os.path.abspath(__file__))
WORKER = os.path.join(HERE, "worker.py")
NETWORKS = ("unet", "decoder", "encoder", "text", "gradient")
# What holds oneDNN, and with it OpenVINO and the convolutions of PyTorch, to the instructions of one of our sets, and
# what holds PyTorch's own kernels and MKL to them. onnxruntime has no such switch.
LIMITS = {"sse41": "SSE41", "avx2": "AVX2", "avxvnni": "AVX2_VNNI", "avx512": "AVX512_CORE", "avx512vnni": "AVX512_CORE_VNNI"}
HELD = {"sse41": ("default", "SSE4_2"), "avx2": ("avx2", "AVX2"), "avxvnni": ("avx2", "AVX2")}
REST = 0.5      # seconds between two turns: threads that wait for more work have gone to sleep


def busy():
    """Processor seconds that all processes of this machine have taken."""
    with open("/proc/stat") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def taken_by(pid):
    """Processor seconds that a process has taken, its children that have ended among them."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


class Contestant:
    """A process that answers every line with the milliseconds of a run and its peak in MB."""

    def __init__(self, title, command, environment):
        self.title, self.times, self.strange, self.peak = title, [], [], 0
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env={**os.environ, **environment})

    def wait(self):
        """Until it is ready; whether it is."""
        return self.process.stdout.readline().strip() == "ready"

    def turn(self, counts=True):
        time.sleep(REST)
        before, own, start = busy(), taken_by(self.process.pid), time.perf_counter()
        self.process.stdin.write("\n")
        answer = self.process.stdout.readline().split()
        passed = time.perf_counter() - start
        if len(answer) != 2:
            sys.exit(f"{self.title} ended")
        if counts:
            self.times.append(float(answer[0]) / 1e3)
            self.strange.append(max(0, busy() - before - taken_by(self.process.pid) + own) / passed)
            self.peak = max(self.peak, int(answer[1]))
        return float(answer[0]) / 1e3

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def line(self):
        times = sorted(self.times)
        return (f"  {self.title:44} {statistics.median(times):8.3f} s ({times[0]:.3f}–{times[-1]:.3f}), peak {self.peak} MB, "
                f"others took {statistics.median(self.strange):.2f} cores")


def disturb():
    """A process that takes 60 % of one core."""
    return subprocess.Popen([sys.executable, "-c", (
        "import os, time\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "while True:\n"
        "    end = time.perf_counter() + 0.06\n"
        "    while time.perf_counter() < end: pass\n"
        "    time.sleep(0.04)\n")])


def environment(isa, threads):
    variables = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    if isa:
        variables.update(ONEDNN_MAX_CPU_ISA=LIMITS[isa], DNNL_MAX_CPU_ISA=LIMITS[isa])
        if isa in HELD:
            variables.update(ATEN_CPU_CAPABILITY=HELD[isa][0], MKL_ENABLE_INSTRUCTIONS=HELD[isa][1])
    return variables


def compare(network, peer, a):
    """Ours and one peer in turn; prints a line each and the ratio."""
    shape = ["--size", str(a.size), "--batch", str(a.batch), "--threads", str(a.threads)]
    ours = [a.ours, "networks"] + ([a.model] if a.model else ["--weights", a.weights]) + ["--network", network, "--seconds"] + shape
    if a.isa:
        ours += ["--isa", a.isa]
    if a.max_ram and network == "gradient":
        ours += ["--max-ram", str(a.max_ram)]
    theirs = [sys.executable, WORKER, peer, network, "--cache", a.cache] + shape
    # Files are made, and models compiled, before anything else is started.
    them = Contestant(TITLES[peer], theirs, environment(a.isa, a.threads))
    if not them.wait():
        print(f"  {TITLES[peer]}: not here", flush=True)
        return them.close()
    us = Contestant("ours, " + (os.path.basename(a.model) if a.model else a.weights), ours, {})
    noise = disturb() if a.disturb else None
    ratios = []
    try:
        us.turn(counts=False)
        for turn in range(a.rounds):
            own, other = us.turn(), them.turn()
            ratios.append(other / own)
            print(f"{network}, round {turn + 1}: ours {own:.3f} s, {peer} {other:.3f} s", file=sys.stderr, flush=True)
    finally:
        if noise:
            noise.kill()
            noise.wait()
        us.close()
        them.close()
    print(us.line())
    print(them.line())
    spread = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"  {'theirs / ours':44} {statistics.median(ratios):8.2f} ({spread})", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="Tools/bench-peers", add_help=False)
    parser.add_argument("--network", default="unet")
    parser.add_argument("--peers", default="openvino-int8,openvino,openvino-fp32,onnxruntime,pytorch")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--weights", default="int8", choices=("int8", "fp16", "fp32"))
    parser.add_argument("--model")
    parser.add_argument("--max-ram", type=int)
    parser.add_argument("--isa", choices=LIMITS)
    parser.add_argument("--disturb", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--cache", default=".build/peers")
    parser.add_argument("--ours", default=".build/release/pentimento-bench")
    a = parser.parse_args()
    wanted = NETWORKS if a.network == "all" else a.network.split(",")
    peers = a.peers.split(",")
    for known, given, option in ((NETWORKS, wanted, "--network"), (PEERS, peers, "--peers")):
        for one in given:
            if one not in known:
                parser.error(f"{option} takes {', '.join(known)}, not {one}")
    for network in wanted:
        print(f"{network}, {a.size}×{a.size}, batch {a.batch}, {a.threads} threads"
              + (f", held to {a.isa}" if a.isa else "") + (", one core disturbed" if a.disturb else ""), flush=True)
        for peer in peers:
            if network == "gradient" and not peer.startswith("pytorch"):
                continue
            if network != "gradient" and peer == "pytorch-checkpointed":
                continue
            if a.profile:
                subprocess.run(
                    [sys.executable, WORKER, peer, network, "--cache", a.cache, "--size", str(a.size), "--batch",
                     str(a.batch), "--threads", str(a.threads), "--profile"],
                    env={**os.environ, **environment(a.isa, a.threads)}, check=True)
            else:
                compare(network, peer, a)


if __name__ == "__main__":
    main()
