"""Writes a full-size model of random halves as one file, from a list of published shapes. Needs nothing but Python.

    random_single_file.py safetensors|gguf LIST OUT

LIST is Tests/Fixtures/SingleFile/FAMILY-published.txt: a name and its shape, a line each. Weights are Gaussian with
the deviation 1/√K of a layer of K inputs, the same million of them again and again; scales of norms are one. The GGUF
has the same tensors as F16 (vectors F32) under the same names, as public converters write a whole pipeline.
"""
import json
import random
import struct
import sys
from math import prod

PATTERN = 1 << 20


def halves(deviation, made={}):
    """A million random halves, as bytes."""
    if deviation not in made:
        draw = random.Random(1).gauss
        made[deviation] = struct.pack(f"<{PATTERN}e", *(draw(0, deviation) for _ in range(PATTERN)))
    return made[deviation]


def tensors(path):
    with open(path) as lines:
        for line in lines:
            name, _, shape = line.rstrip("\n").partition("\t")
            yield name, [int(size) for size in shape.split(",") if size]


def values(name, shape, wide=False):
    """The tensor's bytes, in pieces: halves, or floats where `wide`."""
    count = prod(shape)
    is_scale = len(shape) == 1 and name.endswith("weight")
    if len(shape) < 2:
        one = struct.pack("<f" if wide else "<e", 1 if is_scale else 0.01)
        yield one * count
        return
    # A power of two, so that few patterns are made.
    deviation = 1.0
    while deviation * deviation * prod(shape[1:]) > 1:
        deviation /= 2
    pattern = halves(deviation)
    start = 2 * (sum(name.encode()) * 7919 % PATTERN)
    left = 2 * count
    while left:
        piece = pattern[start : start + left]
        yield piece
        left -= len(piece)
        start = 0


def safetensors(rows, out):
    header, end = {}, 0
    for name, shape in rows:
        size = 2 * prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header, separators=(",", ":")).encode()
    out.write(struct.pack("<Q", len(text)) + text)
    for name, shape in rows:
        for piece in values(name, shape):
            out.write(piece)


def gguf(rows, out, alignment=32):
    def string(text):
        return struct.pack("<Q", len(text.encode())) + text.encode()

    rows = [(name, shape or [1]) for name, shape in rows]
    fields = {"general.architecture": "sd"}
    out.write(b"GGUF" + struct.pack("<IQQ", 3, len(rows), len(fields)))
    for key, value in fields.items():
        out.write(string(key) + struct.pack("<I", 8) + string(value))
    position = 0
    for name, shape in rows:
        wide = len(shape) < 2
        out.write(string(name) + struct.pack("<I", len(shape)))
        out.write(struct.pack(f"<{len(shape)}Q", *reversed(shape)))
        out.write(struct.pack("<IQ", 0 if wide else 1, position))
        position += -(-prod(shape) * (4 if wide else 2) // alignment) * alignment
    out.write(bytes(-out.tell() % alignment))
    for name, shape in rows:
        for piece in values(name, shape, wide=len(shape) < 2):
            out.write(piece)
        out.write(bytes(-out.tell() % alignment))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("safetensors", "gguf"):
        sys.exit(__doc__)
    rows = [row for row in tensors(sys.argv[2])]
    with open(sys.argv[3], "wb") as out:
        {"safetensors": safetensors, "gguf": gguf}[sys.argv[1]](rows, out)
