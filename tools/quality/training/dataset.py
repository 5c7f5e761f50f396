"""Make the images to train, calibrate and test with, into one .npz file.

    python3 dataset.py OUT.npz --split train --scenes 3500 [--from 0]

Every scene is made in all seven classes. Scene i of a split is the same
regardless of the others: its generator is seeded with (SEED, split, i)."""

import argparse

import numpy as np
import torch

from camera import any_camera, develop
from degrade import CLASSES, degraded
from optics import shrink
from scenes import scene
from textures import Bank

SEED = 20261121
SIDE = 96  # of the model's input, pixels
SPLITS = {"train": 0, "validation": 1, "test": 2, "calibration": 3}
# Sizes of the images of cameras and terminals, and their weights.
SIZES = [
    ((240, 320), 0.21), ((320, 240), 0.21), ((256, 256), 0.08), ((480, 640), 0.05), ((640, 480), 0.08),
    ((512, 341), 0.12), ((512, 384), 0.06), ((400, 320), 0.08), ((341, 512), 0.04), ((512, 600), 0.03),
    ((800, 600), 0.015), ((1280, 720), 0.02), ((1920, 1080), 0.005),
]  # fmt: skip


def any_size(rng):
    return SIZES[rng.choice(len(SIZES), p=[p for _, p in SIZES])][0]


def images(split, i, bank, side=SIDE, alike=False, smooth=False):
    """The seven images of a scene, uint8 7 x side x side x 3. Where alike is
    true, half of the things that block the view have the scene's own
    colors; where smooth is true nothing has a texture."""
    rng = np.random.default_rng([SEED, SPLITS[split], i])
    w, h = any_size(rng)
    seen = scene(rng, bank, w, h, smooth)
    out = []
    for name in CLASSES:
        light, noise = degraded(rng, name, seen, seen[::-1] if alike else None)
        out.append(shrink(develop(rng, light, any_camera(rng), noise), side, side))
    return np.stack(out)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("out")
    p.add_argument("--split", choices=SPLITS, required=True)
    p.add_argument("--scenes", type=int, required=True)
    p.add_argument("--from", dest="first", type=int, default=0)
    p.add_argument("--side", type=int, default=SIDE)
    p.add_argument("--alike", action="store_true", help="let what blocks the view look like the scene")
    p.add_argument("--smooth", action="store_true", help="scenes without texture")
    a = p.parse_args()
    torch.set_num_threads(1)
    bank = Bank()
    made = np.empty((a.scenes, len(CLASSES), a.side, a.side, 3), np.uint8)
    for i in range(a.scenes):
        made[i] = images(a.split, a.first + i, bank, a.side, a.alike, a.smooth)
        if i % 100 == 99:
            print(f"{a.split}: {i + 1} of {a.scenes} scenes", flush=True)
    labels = np.tile(np.arange(len(CLASSES)), (a.scenes, 1))
    np.savez(a.out, images=made.reshape(-1, a.side, a.side, 3), labels=labels.reshape(-1))


if __name__ == "__main__":
    main()
