"""Procedural textures: periodic fields with the spectra of natural surfaces.

Amplitude spectra of natural images fall as 1/f^a with a near 1
(Field, "Relations between the statistics of natural images and the response
properties of cortical cells", J. Opt. Soc. Am. A 4, 1987).
"""

import numpy as np

SIDE = 512  # of a periodic field, pixels


def power_law(rng, exponent, stretch=1.0, angle=0.0, side=SIDE):
    """A periodic field of amplitude spectrum 1/f^exponent, mean 0, deviation 1.

    stretch > 1 makes grain along angle (wood, brushed metal, fur)."""
    f = np.fft.fftfreq(side)
    fy, fx = f[:, None], f[None, : side // 2 + 1].copy()
    fx[0, -1] = 0.5
    u = np.cos(angle) * fx + np.sin(angle) * fy
    v = -np.sin(angle) * fx + np.cos(angle) * fy
    radius = np.sqrt((u * stretch) ** 2 + v**2)
    radius[0, 0] = 1
    phase = np.fft.rfft2(rng.standard_normal((side, side)))
    field = np.fft.irfft2(phase / radius**exponent, s=(side, side))
    field -= field.mean()
    return (field / field.std()).astype(np.float32)


def stripes(rng, side=SIDE):
    """Stripes or checks of fabric and tiles, a whole number of periods a side."""
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    kx, ky = rng.integers(-40, 41), rng.integers(2, 40)
    wave = np.sin(2 * np.pi * (kx * x + ky * y))
    if rng.random() < 0.4:
        wave = wave * np.sin(2 * np.pi * (ky * x - kx * y))
    if rng.random() < 0.5:
        wave = np.tanh(4 * wave)
    wave = wave + 0.3 * power_law(rng, 1.2, side=side)
    return ((wave - wave.mean()) / wave.std()).astype(np.float32)


def blotches(rng, side=SIDE):
    """Patches with sharp edges, as of camouflage, cow hide, rust, gravel."""
    field = power_law(rng, rng.uniform(1.2, 2.2), side=side)
    cut = np.tanh((field - rng.uniform(-0.7, 0.7)) * rng.uniform(3, 25))
    cut = cut + 0.3 * power_law(rng, 1.0, side=side)
    return ((cut - cut.mean()) / cut.std()).astype(np.float32)


class Bank:
    """A fixed set of fields, made once; crops of it are the textures of scenes."""

    def __init__(self, seed=7):
        rng = np.random.default_rng(seed)
        self.fields = [power_law(rng, e) for e in np.linspace(0.5, 2.2, 14)]
        self.fields += [
            power_law(rng, rng.uniform(0.8, 1.8), rng.uniform(3, 14), rng.uniform(0, np.pi))
            for _ in range(14)
        ]
        self.fields += [stripes(rng) for _ in range(8)] + [blotches(rng) for _ in range(10)]
        self.smooth = [power_law(rng, rng.uniform(2.2, 3.2)) for _ in range(10)]

    def crop(self, rng, width, height):
        """A texture of any size, at a whole-number zoom, turned at random."""
        return self._cut(rng, self.fields[rng.integers(len(self.fields))], width, height, rng.choice([1, 1, 1, 2, 3]))

    def lighting(self, rng, width, height):
        """A smooth field that spans the image: uneven light, clouds, haze."""
        field = self.smooth[rng.integers(len(self.smooth))]
        n = rng.integers(SIDE // 4, SIDE)
        ys = (rng.integers(SIDE) + np.arange(height) * n // height) % SIDE
        xs = (rng.integers(SIDE) + np.arange(width) * n // width) % SIDE
        return field[ys[:, None], xs[None, :]]

    @staticmethod
    def _cut(rng, field, width, height, zoom):
        if rng.random() < 0.5:
            field = field.T
        ys = (rng.integers(SIDE) + np.arange(height) // zoom) % SIDE
        xs = (rng.integers(SIDE) + np.arange(width) // zoom) % SIDE
        return field[ys[:, None], xs[None, :]]
