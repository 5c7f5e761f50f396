"""From linear light to the file that a camera sends.

Noise is that of Foi, Trimeche, Katkovnik, Egiazarian, "Practical
Poissonian-Gaussian noise modeling and fitting for single-image raw-data", IEEE
Trans. Image Processing 17, 2008: variance a*light + b in linear light, a for
the photons (shot noise), b for the sensor (read noise).
"""

import dataclasses
import io

import numpy as np
from PIL import Image, ImageDraw

from canvas import font
from optics import LUMA, gaussian, to_srgb


@dataclasses.dataclass
class Noise:
    """deviation is that of a mid-gray pixel (18 % of white), in steps of 255."""

    deviation: float
    shot: float = 0.7  # the share of the variance at mid-gray that photons cause
    chroma: float = 0.0  # extra blotches of color, as a share of deviation
    blotch: float = 2.0  # their size, pixels
    grain: float = 0.0  # blur of the noise by demosaicing, pixels


@dataclasses.dataclass
class Camera:
    """What a camera does after the lens; the defaults are a plain, perfect one."""

    balance: tuple = (1.0, 1.0, 1.0)
    saturation: float = 1.0
    contrast: float = 0.0  # of an S-shaped tone curve
    vignette: float = 0.0
    sharpen: float = 0.0
    sharpen_radius: float = 1.0
    jpeg: int = 90
    subsampling: int = 2
    clock: str = ""  # overlaid text: a surveillance camera's date and time


def any_camera(rng):
    """A camera drawn at random."""
    balance = np.exp(rng.normal(0, 0.12, 3)) if rng.random() < 0.6 else np.ones(3)
    return Camera(
        balance=tuple(balance / balance.mean()),
        saturation=0.0 if rng.random() < 0.1 else rng.uniform(0.6, 1.3),
        contrast=rng.uniform(-0.2, 0.6),
        vignette=rng.uniform(0, 0.6) if rng.random() < 0.4 else 0.0,
        sharpen=rng.uniform(0.2, 1.5) if rng.random() < 0.5 else 0.0,
        sharpen_radius=rng.uniform(0.6, 2.0),
        jpeg=any_jpeg(rng),
        subsampling=int(rng.choice([0, 2, 2])),
        clock=any_clock(rng),
    )


def any_jpeg(rng):
    return int(rng.integers(30, 96))


def any_clock(rng):
    if rng.random() < 0.85:
        return ""
    n = rng.integers(0, 60, 6)
    return f"20{n[0]:02d}-{n[1] % 12 + 1:02d}-{n[2] % 28 + 1:02d} {n[3] % 24:02d}:{n[4]:02d}:{n[5]:02d}"


_POOL = np.random.default_rng(5).standard_normal(1 << 22, dtype=np.float32)


def normal(rng, shape):
    """Normal numbers; from a pool, at a place drawn at random, since drawing them
    all anew would take a third of the time that a image takes."""
    n = int(np.prod(shape))
    start = rng.integers(len(_POOL))
    return np.take(_POOL, np.arange(start, start + n), mode="wrap").reshape(shape)


def add_noise(rng, linear, noise):
    """The noisy image, in linear light, not clipped."""
    # d(sRGB)/d(linear) at 0.18 is 1.195; the deviation there is given in sRGB.
    variance = (noise.deviation / 255 / 1.195) ** 2
    shape = linear.shape
    grain = normal(rng, shape)
    if noise.grain > 0.2:
        grain = gaussian(grain, noise.grain)
        grain /= grain.std() + 1e-9
    if noise.chroma > 0:
        small = normal(rng, (int(shape[0] / noise.blotch) + 2, int(shape[1] / noise.blotch) + 2, 3))
        small -= (small @ LUMA)[..., None]
        ys, xs = (np.arange(shape[0]) / noise.blotch).astype(int), (np.arange(shape[1]) / noise.blotch).astype(int)
        grain = grain + noise.chroma * gaussian(small[ys[:, None], xs[None, :]], noise.blotch / 2.5)
    light = np.clip(linear, 0, 1)
    return linear + grain * np.sqrt(variance * (noise.shot * light / 0.18 + 1 - noise.shot))


def develop(rng, linear, camera, noise):
    """The image as it comes out of the JPEG decoder: uint8 sRGB."""
    image = np.clip(linear, 0, None)
    h, w = image.shape[:2]
    if camera.vignette:
        y, x = np.mgrid[:h, :w].astype(np.float32)
        d = (x / w - 0.5) ** 2 + (y / h - 0.5) ** 2
        image = image * (1 - camera.vignette * d * 1.6)[..., None]
    image = np.clip(add_noise(rng, image, noise), 0, None)
    image = np.clip(image * np.asarray(camera.balance, np.float32), 0, 1)
    seen = to_srgb(image)
    if camera.saturation != 1:
        gray = (seen @ LUMA)[..., None]
        seen = gray + (seen - gray) * camera.saturation
    if camera.contrast:
        smooth = seen * seen * (3 - 2 * seen)
        seen = seen + camera.contrast * (smooth - seen)
    if camera.sharpen:
        seen = seen + camera.sharpen * (seen - gaussian(seen, camera.sharpen_radius))
    return encode(np.clip(np.nan_to_num(seen) * 255 + 0.5, 0, 255).astype(np.uint8), camera)


def encode(pixels, camera):
    """Overlay and JPEG."""
    image = Image.fromarray(pixels)
    if camera.clock:
        size = max(image.height // 24, 9)
        at = (size // 2, size // 2) if len(camera.clock) % 2 else (image.width // 2, image.height - 2 * size)
        ImageDraw.Draw(image).text(at, camera.clock, font=font(size), fill=(255, 255, 255), stroke_width=1, stroke_fill=(0, 0, 0))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=camera.jpeg, subsampling=camera.subsampling)
    return np.asarray(Image.open(buffer))
