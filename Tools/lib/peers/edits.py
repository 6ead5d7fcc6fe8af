"""What Tools/bench-edits does; its options are described there."""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
GROUPS = "/sys/fs/cgroup/memory"
PROMPT = "a photo of a cat with glasses"
STRENGTH = 0.8      # of LCM's image-to-image
REST = 0.5


def peak():
    """Resident memory of this process at its highest, MB of 10⁶ bytes."""
    import resource
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)


# ------------------------------------------------------------------------------------------------ theirs

def diffusers(a):
    """LatentConsistencyModelImg2ImgPipeline, random weights in Float."""
    import torch
    from diffusers import (AutoencoderKL, AutoencoderTiny, LatentConsistencyModelImg2ImgPipeline, LCMScheduler,
                           UNet2DConditionModel)
    from PIL import Image
    sys.path.insert(0, HERE)
    import networks
    torch.set_num_threads(a.threads)
    unet = UNet2DConditionModel(**networks.UNET, time_cond_proj_dim=256)
    vae = AutoencoderTiny() if a.tiny else AutoencoderKL(**networks.AUTOENCODER)
    text, (tokens,) = networks.load("text"), networks.example("text")
    pipeline = LatentConsistencyModelImg2ImgPipeline(
        vae=vae, text_encoder=text.net, tokenizer=None, unet=unet, scheduler=LCMScheduler(), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    photo = Image.open(a.photo).convert("RGB").resize((a.size, a.size))

    def run():
        with torch.no_grad():
            states = text(tokens)
        pipeline(prompt_embeds=states, image=photo, num_inference_steps=a.steps, strength=STRENGTH, guidance_scale=8.5)
    return run


def sdcpp(a):
    """stable-diffusion.cpp, 8-bit weights."""
    from PIL import Image
    from stable_diffusion_cpp import StableDiffusion
    options = {"taesd_path": a.taesd} if a.tiny else {}
    model = StableDiffusion(model_path=a.single, wtype="q8_0", n_threads=a.threads, verbose=False, **options)
    photo = Image.open(a.photo).convert("RGB").resize((a.size, a.size))
    # It runs the last strength·steps of its steps.
    steps = round(a.steps / STRENGTH)
    return lambda: model.generate_image(
        prompt=PROMPT, init_image=photo, strength=STRENGTH, sample_steps=steps, sample_method="lcm", cfg_scale=1.0,
        width=a.size, height=a.size, seed=1)


def work(a):
    run = {"diffusers": diffusers, "stable-diffusion.cpp": sdcpp}[a.worker](a)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)       # libraries talk
    answers.write("ready\n")
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        answers.write(f"{time.perf_counter() - start} {peak()}\n")


class Peer:
    """A pipeline that is loaded and answers every line with the seconds of an edit and its peak."""

    def __init__(self, name, tiny, words):
        self.title = f"{name}, {'TAESD' if tiny else 'its autoencoder'}"
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), *words, "--worker", name] + (["--tiny"] if tiny else []),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        if self.process.stdout.readline().strip() != "ready":
            sys.exit(f"{self.title} is not there")

    def turn(self):
        self.process.stdin.write("\n")
        seconds, memory = self.process.stdout.readline().split()
        return float(seconds), float(memory)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ------------------------------------------------------------------------------------------------ ours

class Ours:
    """The command, weights, start and all, in a memory group of its own where the kernel has them."""

    def __init__(self, a, tiny):
        self.a, self.tiny = a, tiny
        self.title = f"pentimento, {'TAESD' if tiny else 'its autoencoder'}, {a.limit} MB"

    def turn(self):
        a = self.a
        group = os.path.join(GROUPS, f"bench-edits-{os.getpid()}")
        grouped = os.access(GROUPS, os.W_OK)
        if grouped:
            os.mkdir(group)
            with open(os.path.join(group, "memory.limit_in_bytes"), "w") as file:
                file.write(str(a.limit * 1000000))
        command = [a.cli, "edit", "-m", a.model, "-i", a.photo, "-p", PROMPT, "--method", "sdedit", "--sampler", "lcm",
                   "--strength", str(STRENGTH), "--cfg-scale", "1", "--steps", str(a.steps), "--size", f"{a.size}x{a.size}",
                   "--max-ram", f"{a.limit}M", "--threads", str(a.threads), "-q", "-o", os.path.join(a.folder, "o.jpg")]
        if self.tiny:
            command += ["--vae", a.taesd]

        def enter():
            with open(os.path.join(group, "cgroup.procs"), "w") as file:
                file.write(str(os.getpid()))
        start = time.perf_counter()
        process = subprocess.Popen(command, preexec_fn=enter if grouped else None, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        memory = usage.ru_maxrss * 1024
        if grouped:
            with open(os.path.join(group, "memory.max_usage_in_bytes")) as file:
                memory = int(file.read())
            os.rmdir(group)
        if status:
            sys.exit(f"pentimento ended with {os.waitstatus_to_exitcode(status)}")
        return seconds, memory / 1e6

    def close(self):
        pass


def main():
    parser = argparse.ArgumentParser()
    for name in ("cli", "model", "photo", "taesd", "single", "worker", "folder"):
        parser.add_argument(f"--{name}")
    for name, value in (("size", 512), ("steps", 8), ("threads", 2), ("rounds", 3), ("limit", 160)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--peers", default="diffusers,stable-diffusion.cpp")
    parser.add_argument("--tiny", action="store_true")
    a = parser.parse_args()
    if a.worker:
        return work(a)
    words = [word for word in sys.argv[1:] if word != "--tiny"]
    with tempfile.TemporaryDirectory() as a.folder:
        for tiny in ([False, True] if a.taesd else [False]):
            contestants = [Ours(a, tiny)] + [Peer(name, tiny, words) for name in a.peers.split(",") if name]
            results = {c: [] for c in contestants}
            for contestant in contestants[1:]:
                contestant.turn()
            for _ in range(a.rounds):
                for contestant in contestants:
                    time.sleep(REST)
                    results[contestant].append(contestant.turn())
            for contestant in contestants:
                seconds = sorted(s for s, _ in results[contestant])
                memory = max(m for _, m in results[contestant])
                print(f"  {contestant.title:44} {statistics.median(seconds):8.1f} s ({seconds[0]:.1f}–{seconds[-1]:.1f}), "
                      f"peak {memory:.0f} MB", flush=True)
                contestant.close()


if __name__ == "__main__":
    main()
