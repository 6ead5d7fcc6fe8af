"""One forward and backward pass to the text context through a UNet of Stable Diffusion 1.5, in PyTorch Float32.

    torch_gradient.py [--rounds 5] [--threads 2] [--size 512] [--ours COMMAND]

Random weights of the published shapes; batch 1; loss mean(output²); gradients to the context alone. Twice: with all
activations kept, and with diffusers' gradient checkpointing. Each in a process of its own that stays, idle between its
turns, so that the rounds alternate: PyTorch, PyTorch checkpointed, COMMAND. The first round of each is not counted.
COMMAND does the same work and says "seconds NUMBER" in a line of its output for each pass; a process for every round,
whose last such line counts.

Prints seconds (median, least) and peak resident memory of each, and COMMAND's ratio to either, as the median of the
ratios within a round. Needs torch and diffusers.
"""
import argparse
import os
import re
import shlex
import statistics
import subprocess
import sys
import time

MODES = ("kept", "checkpointed")


def unet():
    import torch
    from diffusers import UNet2DConditionModel
    with torch.device("meta"):
        net = UNet2DConditionModel(
            sample_size=64, block_out_channels=(320, 640, 1280, 1280), layers_per_block=2, cross_attention_dim=768,
            attention_head_dim=8, down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
            up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3)
    net = net.to_empty(device="cpu")
    pattern = torch.randn(1 << 20, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for name, p in net.named_parameters():
            p.requires_grad_(False)
            if p.ndim < 2:
                p.fill_(1.0 if name.endswith("weight") else 0.01)
            else:
                flat, deviation = p.view(-1), p[0].numel() ** -0.5
                for start in range(0, flat.numel(), len(pattern)):
                    piece = flat[start:start + len(pattern)]
                    piece.copy_(pattern[:len(piece)] * deviation)
    return net.eval()


def work(mode, threads, size):
    """Answers every line of the input with the seconds of one pass and the peak of the process in MB."""
    import torch
    torch.set_num_threads(threads)
    net = unet()
    if mode == "checkpointed":
        net.enable_gradient_checkpointing()
        net.train()         # no dropout in this network: this switches checkpointing on and nothing else
    draw = torch.Generator().manual_seed(2)
    x, t = torch.randn(1, 4, size // 8, size // 8, generator=draw), torch.tensor([501])
    context = torch.randn(1, 77, 768, generator=draw).requires_grad_(True)
    for _ in sys.stdin:
        start = time.perf_counter()
        context.grad = None
        net(x, t, encoder_hidden_states=context).sample.square().mean().backward()
        seconds = time.perf_counter() - start
        with open("/proc/self/status") as f:
            peak = int(re.search(r"VmHWM:\s*(\d+)", f.read())[1]) * 1024 / 1e6
        print(f"{seconds} {peak}", flush=True)


def run_ours(command):
    text = subprocess.run(shlex.split(command), check=True, stdout=subprocess.PIPE, text=True).stdout
    found = re.findall(r"seconds ([0-9.]+)", text)
    if not found:
        sys.exit(f"{command}: no line says \"seconds NUMBER\":\n{text}")
    return float(found[-1])


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--size", type=int, default=512)
    ap.add_argument("--ours", help="a command that does the same work and prints \"seconds NUMBER\"")
    ap.add_argument("--work", choices=MODES, help=argparse.SUPPRESS)
    a = ap.parse_args()
    if a.work:
        return work(a.work, a.threads, a.size)
    itself = [sys.executable, os.path.abspath(__file__), "--threads", str(a.threads), "--size", str(a.size), "--work"]
    workers = {m: subprocess.Popen(itself + [m], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for m in MODES}
    seconds, peaks = {name: [] for name in MODES + (("ours",) if a.ours else ())}, {}
    for turn in range(a.rounds + 1):
        for name in seconds:
            if name == "ours":
                taken = run_ours(a.ours)
            else:
                workers[name].stdin.write("\n")
                taken, peaks[name] = map(float, workers[name].stdout.readline().split())
            if turn:
                seconds[name].append(taken)
        print(f"round {turn}: " + ", ".join(f"{n} {s[-1]:.2f} s" for n, s in seconds.items() if s), file=sys.stderr, flush=True)
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    for name, taken in seconds.items():
        peak = f", peak {peaks[name]:.0f} MB resident" if name in peaks else ""
        label = "ours" if name == "ours" else f"PyTorch, activations {name}"
        print(f"{label}: median {statistics.median(taken):.2f} s, least {min(taken):.2f} s of {len(taken)}{peak}")
    for name in MODES if a.ours else ():
        ratios = [theirs / own for theirs, own in zip(seconds[name], seconds["ours"])]
        print(f"PyTorch, activations {name} / ours: {statistics.median(ratios):.2f} (of {', '.join(f'{r:.2f}' for r in ratios)})")


if __name__ == "__main__":
    main()
