"""The seven classes: the degradation of a scene by each, in linear light.

Every function takes the generator and a scene (float32, linear, 1 = sensor
clips, well exposed) and gives the light that reaches the sensor with the
noise that the sensor adds. Sizes are shares of the image's shorter side.
The model card (README.md) describes these functions in words.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from camera import Noise
from optics import convolve, disk, gaussian, luma, motion, to_linear

CLASSES = ["ok", "blurred", "dark", "overexposed", "noisy", "blocked", "blank"]


def shorter(image):
    return min(image.shape[:2])


def faint_noise(rng):
    """Acceptable noise: up to 4 steps of 255 at mid-gray."""
    return Noise(4 * rng.random() ** 2, rng.uniform(0.5, 0.95), rng.uniform(0, 0.5), rng.uniform(1.5, 3), rng.uniform(0, 0.8))


def lens(rng, scene):
    """A good lens with slight softness, at most 0.5 % of the side."""
    radius = max(0.6, shorter(scene) * rng.uniform(0, 0.005))
    return gaussian(scene, radius / 2 + 0.15)


def ok(rng, scene):
    return lens(rng, scene), faint_noise(rng)


def blurred(rng, scene):
    """Defocus of 3 to 10 % across, or motion over 5 to 15 %, of the side."""
    s = shorter(scene)
    kind = rng.random()
    if kind < 0.45:
        out = convolve(scene, disk(s * rng.uniform(0.015, 0.05)))
    elif kind < 0.6:
        out = gaussian(scene, s * rng.uniform(0.01, 0.03))
    else:
        out = convolve(scene, motion(rng, s * rng.uniform(0.05, 0.15)))
        if rng.random() < 0.3:
            out = convolve(out, disk(s * rng.uniform(0.004, 0.015)))
    return np.clip(out, 0, None), faint_noise(rng)


def dark(rng, scene):
    """Light so low that 95 % of the image stays below a third of white as
    seen (sRGB 28 to 85 of 255); small lamps may shine in it."""
    scene = lens(rng, scene)
    target = to_linear(rng.uniform(28, 85) / 255)
    out = scene * (target / np.quantile(scene[::2, ::2].max(-1), 0.95))
    if rng.random() < 0.25:  # up to four lamps, 2 % of the frame in all
        s = shorter(scene)
        y, x = np.mgrid[: scene.shape[0], : scene.shape[1]].astype(np.float32)
        for _ in range(rng.integers(1, 5)):
            d = np.hypot(x - rng.random() * scene.shape[1], y - rng.random() * scene.shape[0])
            r = s * rng.uniform(0.005, 0.03)
            lamp = np.clip(r + 1 - d, 0, 1) + 0.05 * np.exp(-d / (2 * r))
            out = out + lamp[..., None] * rng.uniform(0.3, 1, 3).astype(np.float32)
    # In shadows sRGB shows noise some five times larger than at mid-gray.
    return out, Noise(rng.uniform(0, 3), rng.uniform(0.2, 0.9), rng.uniform(0, 1), rng.uniform(1.5, 4), rng.uniform(0, 1))


def overexposed(rng, scene):
    """So much light that 35 to 88 % of the frame is white."""
    scene = lens(rng, scene)
    share = rng.uniform(0.35, 0.88)
    floor = rng.uniform(0, 0.03)  # stray light, in the image after exposure
    # White as a whole, not in one channel only: the least channel clips.
    least = np.quantile(scene[::2, ::2] @ np.float32([0.3, 0.4, 0.3]), 1 - share)
    return scene / max(least, 1e-4) * rng.uniform(1.0, 1.3) + floor, faint_noise(rng)


def noisy(rng, scene):
    """Noise of 16 to 55 steps of 255 at mid-gray, with blotches of color."""
    deviation = 16 * (55 / 16) ** rng.random()
    chroma = rng.uniform(0.2, 1.5) if rng.random() < 0.6 else 0.0
    return lens(rng, scene), Noise(deviation, rng.uniform(0.4, 0.95), chroma, rng.uniform(1.5, 5), rng.uniform(0, 0.9))


def blank(rng, colors, width, height):
    """Nothing visible: one color, a smooth gradient, or darkness, with noise.

    colors are two linear ones to use where the surface is a wall."""
    kind = rng.random()
    y, x = np.mgrid[:height, :width].astype(np.float32)
    first, second = np.asarray(colors[0], np.float32), np.asarray(colors[1], np.float32)
    if kind < 0.25:  # a lens cap, a dead sensor
        first = np.float32(rng.uniform(0, 0.012)) * (1 + 0.3 * rng.standard_normal(3).astype(np.float32))
    elif kind < 0.4:  # no signal: black, white, blue, green
        first = np.float32([(0, 0, 0), (1, 1, 1), (0, 0, 1), (0, 1, 0), (0.2, 0.2, 0.2)][rng.integers(5)])
    t = np.zeros((height, width), np.float32)
    if rng.random() < 0.6:  # an even slope or a lit spot: at most 1.5 stops
        a = rng.uniform(0, 2 * np.pi)
        t = (x / width - 0.5) * np.cos(a) + (y / height - 0.5) * np.sin(a)
        if rng.random() < 0.5:
            t = -np.hypot(x / width - rng.random(), y / height - rng.random())
    out = first * np.exp2(rng.uniform(0, 1.5) * t)[..., None]
    if kind > 0.4 and rng.random() < 0.3:  # from one color to a near one
        k = (0.5 + (t - t.mean())).clip(0, 1)[..., None] * rng.uniform(0.1, 0.5)
        out = out * (1 - k) + second * k
    if rng.random() < 0.3:  # plaster, dust: a grain of a few steps
        grain = gaussian(rng.standard_normal((height, width, 1), dtype=np.float32), rng.uniform(0.5, 2))
        out = out * (1 + grain / grain.std() * rng.uniform(0, 0.03))
    strength = 3 if rng.random() < 0.5 or out.mean() < 0.02 else 25
    noise = Noise(strength * rng.random(), rng.uniform(0, 0.9), rng.uniform(0, 1), rng.uniform(1.5, 4), rng.uniform(0, 1))
    return np.clip(out, 0, None), noise


def blocked(rng, scene, stuff=None):
    """An object near the lens hides 50 to 92 % of the frame, out of focus.

    stuff, if given, is a linear image to take the object's texture from."""
    scene = lens(rng, scene)
    h, w = scene.shape[:2]
    for _ in range(6):
        if rng.random() < 0.3:
            mask, cover = film(rng, scene)
        else:
            mask = hiding(rng, w, h)
            cover = looks(rng, w, h, stuff)
        out = scene * (1 - mask) + cover * mask
        # Black before black hides nothing: try another.
        if np.abs(luma(out[::4, ::4]) - luma(scene[::4, ::4])).mean() > 0.08:
            break
    return out, faint_noise(rng)


def mask_of(rng, w, h, paint):
    """A mask h x w x 1, painted small, blurred as things near the lens are."""
    scale = 160 / max(w, h)
    sw, sh = max(int(w * scale), 8), max(int(h * scale), 8)
    small = Image.new("L", (sw, sh), 0)
    draw = ImageDraw.Draw(small)
    paint(draw, sw, sh, lambda: np.asarray(small, np.float32).mean() / 255)
    small = small.filter(ImageFilter.GaussianBlur(min(sw, sh) * rng.uniform(0.01, 0.06)))
    return (np.asarray(small.resize((w, h), Image.BICUBIC), np.float32) / 255)[..., None]


def hiding(rng, w, h):
    """The shape of a hand, of cloth, tape or something else from the side."""
    share = rng.uniform(0.52, 0.9)
    kind = rng.integers(4)

    def paint(draw, sw, sh, covered):
        s = min(sw, sh)
        cx, cy = sw / 2, sh / 2
        a = rng.uniform(0, 2 * np.pi)
        ux, uy = np.cos(a), np.sin(a)
        if kind == 0:  # fingers beside each other, from one side
            width = s * rng.uniform(0.2, 0.4)
            reach = -(sw + sh) / 2
            while covered() < share and reach < sw + sh:
                reach += s * 0.04
                for i in range(-4, 5):
                    off = i * width * 0.95
                    tip = reach + s * 0.12 * np.cos(i * 1.3)
                    x, y = cx + ux * tip - uy * off, cy + uy * tip + ux * off
                    x0, y0 = x - ux * 3 * s, y - uy * 3 * s
                    draw.line([x0, y0, x, y], fill=255, width=int(width * 0.97))
                    r = width * 0.48
                    draw.ellipse([x - r, y - r, x + r, y + r], fill=255)
        elif kind == 1:  # a straight or wavy edge comes in
            reach, wave, k = -(sw + sh) / 2, s * rng.uniform(0, 0.15), rng.uniform(1, 8)
            t = np.linspace(-2, 2, 60) * s
            while covered() < share and reach < sw + sh:
                reach += s * 0.03
                edge = reach + wave * np.sin(k * t / s)
                xs, ys = cx + ux * edge - uy * t, cy + uy * edge + ux * t
                far = [(cx - ux * 4 * s + uy * 3 * s * q, cy - uy * 4 * s - ux * 3 * s * q) for q in (-1, 1)]
                draw.polygon([*zip(xs.tolist(), ys.tolist()), *far], fill=255)
        elif kind == 2:  # a thing in front: one blob, then more
            r = s * 0.2
            x, y = rng.random() * sw, rng.random() * sh
            while covered() < share and r < 3 * s:
                r *= 1.07
                draw.ellipse([x - r, y - r * 0.8, x + r, y + r * 0.8], fill=255)
        else:  # strips of tape
            n = 0
            while covered() < share and n < 60:
                b = a + rng.normal(0, 0.25)
                off, half = rng.normal(0, 0.5) * s, s * rng.uniform(0.12, 0.35)
                x, y = cx - uy * off, cy + ux * off
                draw.line([x - 3 * s * np.cos(b), y - 3 * s * np.sin(b), x + 3 * s * np.cos(b), y + 3 * s * np.sin(b)], fill=255, width=int(2 * half))
                n += 1

    return mask_of(rng, w, h, paint)


def looks(rng, w, h, stuff):
    """The texture of the object near the lens: soft, often in its own shadow."""
    if stuff is not None and rng.random() < 0.5:
        small = gaussian(stuff, shorter(stuff) * rng.uniform(0.06, 0.2))
        ys, xs = np.arange(h) * small.shape[0] // h, np.arange(w) * small.shape[1] // w
        cover = small[ys[:, None], xs[None, :]]
    else:
        hue = rng.random()
        if hue < 0.4:
            base = np.float32([0.8, 0.45, 0.33]) * rng.uniform(0.1, 1) * np.exp(rng.normal(0, 0.1, 3))
            if rng.random() < 0.3:  # light through a finger
                base = np.float32([0.9, 0.15, 0.06]) * rng.uniform(0.2, 1)
        elif hue < 0.7:
            base = np.repeat(rng.uniform(0.002, 0.6), 3) * np.exp(rng.normal(0, 0.05, 3))
        else:
            base = to_linear(rng.random(3))
        cover = np.broadcast_to(base.astype(np.float32), (h, w, 3))
    small = rng.standard_normal((rng.integers(2, 9), rng.integers(2, 9))).astype(np.float32)
    folds = np.asarray(Image.fromarray(small).resize((w, h), Image.BICUBIC))[..., None]
    return cover * np.exp2(rng.uniform(0, 0.9) * folds) * rng.uniform(0.4, 1)


def film(rng, scene):
    """Dirt on the lens: a greasy smear, drops, or mud, over half the frame."""
    h, w = scene.shape[:2]
    s = min(w, h)
    share = rng.uniform(0.55, 0.9)
    kind = rng.integers(3)
    size = {0: (0.15, 0.4), 1: (0.05, 0.16), 2: (0.03, 0.2)}[kind]

    def paint(draw, sw, sh, covered):
        n = 0
        while covered() < share and n < 2000:
            x, y, r = rng.random() * sw, rng.random() * sh, min(sw, sh) * rng.uniform(*size)
            k = rng.uniform(0.4, 1)
            draw.ellipse([x - r, y - r * k, x + r, y + r * k], fill=255)
            n += 1

    if kind == 0:  # grease: light scattered wide, a veil, streaks one way
        mask = mask_of(rng, w, h, paint)
        far = gaussian(scene, s * rng.uniform(0.05, 0.12))
        veil = scene.mean((0, 1)) * rng.uniform(0.8, 1.6) + rng.uniform(0, 0.1)
        k = rng.uniform(0.55, 0.9)
        return mask, far * (1 - k) + veil * k
    mask = mask_of(rng, w, h, paint)
    if kind == 1:  # drops show the scene upside down and small, with dark rims
        y, x = np.mgrid[:h, :w]
        k = rng.uniform(3, 7)
        turned = scene[(h - 1 - y * k % h).astype(int), (w - 1 - x * k % w).astype(int)]
        turned = gaussian(turned, s * rng.uniform(0.015, 0.04))
        rim = np.clip(4 * mask * (1 - mask), 0, 1)
        return mask, turned * rng.uniform(0.5, 1) * (1 - 0.7 * rim)
    mud = to_linear(np.float32([0.42, 0.33, 0.24]) * rng.uniform(0.2, 1.3)) * rng.uniform(0.3, 1)
    return mask * rng.uniform(0.85, 1), np.broadcast_to(mud.astype(np.float32), (h, w, 3))


def degraded(rng, name, scene, stuff=None):
    """The light and the noise of one class. stuff: see blocked."""
    if name == "blocked":
        return blocked(rng, scene, stuff)
    if name == "blank":
        h, w = scene.shape[:2]
        return blank(rng, [patch(rng, scene), patch(rng, scene)], w, h)
    return {"ok": ok, "blurred": blurred, "dark": dark, "overexposed": overexposed, "noisy": noisy}[name](rng, scene)


def patch(rng, scene):
    """The mean color of a small part of the scene."""
    h, w = scene.shape[:2]
    y, x = rng.integers(h - h // 12), rng.integers(w - w // 12)
    return scene[y : y + h // 12, x : x + w // 12].mean((0, 1)).clip(0, 1)
