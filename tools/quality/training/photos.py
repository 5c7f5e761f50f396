"""Degrade real photographs as the synthetic scenes are, to test with only.

    python3 photos.py OUT.npz PHOTO... [--each 20] [--folder DIR]

With --folder the images are also written as files, before they are shrunk, DIR/class/*.jpg,
for other programs to test with."""

import argparse
import pathlib

import numpy as np
import torch
from PIL import Image

from camera import Camera, any_clock, any_jpeg, develop
from dataset import SIDE
from degrade import CLASSES, degraded
from optics import shrink, to_linear

SEED = 413
# The longer side that a photograph is brought to, if it is larger.
SIDES = [320, 400, 512, 640, 1280, 1920]


def view(rng, photo):
    """The photograph, perhaps mirrored, at least two thirds of its width and
    height, at a size that a camera might send; linear light."""
    w, h = photo.size
    k = rng.uniform(0.67, 1) if rng.random() < 0.75 else 1.0
    cw, ch = int(w * k), int(h * k)
    x, y = rng.integers(w - cw + 1), rng.integers(h - ch + 1)
    part = photo.crop((x, y, x + cw, y + ch))
    if rng.random() < 0.5:
        part = part.transpose(Image.FLIP_LEFT_RIGHT)
    possible = [s for s in SIDES if s <= max(cw, ch)]
    side = possible[rng.integers(len(possible))] if possible else max(cw, ch)
    if side < max(cw, ch):
        part = part.resize((max(cw * side // max(cw, ch), 1), max(ch * side // max(cw, ch), 1)), Image.LANCZOS)
    pixels = np.asarray(part, np.float32)
    # Half a step of noise hides the steps of 8 bits when light is added.
    return to_linear(np.clip(pixels + rng.uniform(-0.5, 0.5, pixels.shape), 0, 255) / 255)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("out")
    p.add_argument("photos", nargs="+")
    p.add_argument("--each", type=int, default=20)
    p.add_argument("--folder", type=pathlib.Path)
    p.add_argument("--side", type=int, default=SIDE)
    a = p.parse_args()
    torch.set_num_threads(1)
    images, labels, sources = [], [], []
    for n, name in enumerate(a.photos):
        photo = Image.open(name).convert("RGB")
        for k in range(a.each):
            for c, class_ in enumerate(CLASSES):
                rng = np.random.default_rng([SEED, n, k, c])
                scene = view(rng, photo)
                light, noise = degraded(rng, class_, scene, stuff=scene[::-1])
                if class_ == "ok":  # unchanged: its lens and sensor have degraded it already
                    light = scene
                    noise.deviation = 0.0
                seen = develop(rng, light, Camera(jpeg=any_jpeg(rng), clock=any_clock(rng)), noise)
                if a.folder:
                    place = a.folder / class_
                    place.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(seen).save(place / f"{pathlib.Path(name).stem}-{k:02d}.png")
                images.append(shrink(seen, a.side, a.side))
                labels.append(c)
                sources.append(pathlib.Path(name).name)
    np.savez(a.out, images=np.stack(images), labels=np.array(labels), sources=np.array(sources))


if __name__ == "__main__":
    main()
