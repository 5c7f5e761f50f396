"""Synthetic scenes: what a camera might look at, before the camera.

scene() gives linear light. Nothing here comes from a photograph.
"""

import colorsys

import numpy as np

from canvas import Canvas, letters
from optics import disk, convolve, gaussian, to_linear

SKIN = [(0.95, 0.78, 0.68), (0.88, 0.68, 0.55), (0.75, 0.55, 0.42), (0.55, 0.38, 0.28), (0.36, 0.24, 0.18)]


def color(rng, saturation=None, value=None):
    s = rng.beta(1.2, 2.2) if saturation is None else saturation
    v = rng.uniform(0.05, 1) if value is None else value
    return colorsys.hsv_to_rgb(rng.random(), s, v)


def near(rng, base, spread=0.1):
    """A color near base: lighter or darker, and a little of another hue."""
    return tuple(np.clip(np.asarray(base) * np.exp(rng.normal(0, spread * 2)) + rng.normal(0, spread * 0.4, 3), 0, 1))


def palette(rng, n=6):
    return [color(rng) for _ in range(n)]


def power_sizes(rng, n, least, most):
    """Sizes of density r^-3, the one that makes dead leaves scale-invariant."""
    u = rng.random(n)
    return 1 / np.sqrt(u / least**2 + (1 - u) / most**2)


def leaves(rng, c, n, colors, least, most, region=None):
    """Occluding shapes of power-law sizes in region (x, y, w, h)."""
    x0, y0, w, h = region or (0, 0, c.width, c.height)
    kind = rng.integers(4)
    for r in np.sort(power_sizes(rng, n, least, most))[::-1] if rng.random() < 0.5 else power_sizes(rng, n, least, most):
        x, y = x0 + rng.random() * w, y0 + rng.random() * h
        looks = dict(color=near(rng, colors[rng.integers(len(colors))]))
        if kind == 0 or kind == 3 and rng.random() < 0.5:
            c.ellipse(x, y, r, r * rng.uniform(0.3, 1), rng.uniform(0, np.pi), **looks)
        else:
            k = rng.integers(3, 8)
            t = np.sort(rng.uniform(0, 2 * np.pi, k))
            d = r * rng.uniform(0.5, 1.1, k)
            c.polygon(x + d * np.cos(t), y + d * np.sin(t), **looks)


def dead_leaves(rng, bank, w, h):
    c = Canvas(rng, bank, w, h, color(rng), 0.2)
    s = min(w, h)
    leaves(rng, c, rng.integers(60, 700), palette(rng, rng.integers(2, 9)), s * rng.choice([0.006, 0.015, 0.04]), s * rng.uniform(0.2, 0.6))
    return c


def foliage(rng, bank, w, h):
    base = colorsys.hsv_to_rgb(rng.uniform(0.15, 0.4), rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.7))
    c = Canvas(rng, bank, w, h, near(rng, base, 0.3), 0.3)
    s = min(w, h)
    r = s * rng.uniform(0.01, 0.12)
    for _ in range(rng.integers(100, 900)):
        a, q = rng.uniform(0, np.pi), r * rng.uniform(0.5, 1.3)
        c.ellipse(rng.random() * w, rng.random() * h, q, q * rng.uniform(0.2, 0.6), a, color=near(rng, base, rng.uniform(0.05, 0.35)), texture=rng.choice([0, 0.1]))
    if rng.random() < 0.6:  # a flower or a fruit
        petals, b = rng.integers(5, 24), color(rng, rng.uniform(0.5, 1), rng.uniform(0.6, 1))
        x, y, q = w * rng.uniform(0.3, 0.7), h * rng.uniform(0.3, 0.7), s * rng.uniform(0.1, 0.4)
        for t in np.arange(petals) * 2 * np.pi / petals:
            c.ellipse(x + q * 0.7 * np.cos(t), y + q * 0.7 * np.sin(t), q * 0.5, q * 0.2, t, color=near(rng, b, 0.06), texture=0.04)
        c.ellipse(x, y, q * 0.4, q * 0.4, 0, color=near(rng, (0.35, 0.25, 0.1)), texture=0.3)
    return c


def building(rng, c, x, y, w, h):
    c.rectangle(x, y, w, h, color=color(rng, rng.uniform(0, 0.4), rng.uniform(0.2, 0.9)))
    nx, ny = rng.integers(2, 12, 2)
    pane = color(rng, 0.3)
    for i in range(nx):
        for j in range(ny):
            c.rectangle(x + w * (i + 0.2) / nx, y + h * (j + 0.2) / ny, w * 0.6 / nx, h * 0.6 / ny, color=near(rng, pane, 0.2), texture=0.0)


def landscape(rng, bank, w, h):
    sky = colorsys.hsv_to_rgb(rng.uniform(0.5, 0.65), rng.uniform(0, 0.6), rng.uniform(0.5, 1))
    c = Canvas(rng, bank, w, h, sky, rng.choice([0, 0, 0.1]))
    y = h * rng.uniform(0.05, 0.7)
    for _ in range(rng.integers(1, 6)):  # hills, nearer and nearer
        xs = np.linspace(0, w, 40)
        ridge = y + np.cumsum(rng.normal(0, h * 0.012, 40)) + h * 0.04 * np.sin(xs / w * rng.uniform(2, 12))
        base = colorsys.hsv_to_rgb(rng.uniform(0.05, 0.65), rng.uniform(0.1, 0.6), rng.uniform(0.1, 0.9))
        c.polygon([0, *xs, w], [h, *ridge, h], color=base, texture=rng.choice([0.1, 0.2, 0.4]))
        y += h * rng.uniform(0.05, 0.25)
    for _ in range(rng.integers(0, 6)):
        bw, bh = w * rng.uniform(0.05, 0.4), h * rng.uniform(0.1, 0.6)
        building(rng, c, rng.random() * w - bw / 2, h * rng.uniform(0.3, 0.9) - bh, bw, bh)
    if rng.random() < 0.5:
        leaves(rng, c, rng.integers(50, 400), palette(rng, 3), 2, min(w, h) * 0.1, (0, h * rng.uniform(0.4, 0.7), w, h * 0.5))
    if rng.random() < 0.5:  # poles, wires, branches
        for _ in range(rng.integers(1, 10)):
            x, y, a = rng.random() * w, rng.random() * h, rng.uniform(0, np.pi)
            n = rng.uniform(0.2, 1) * max(w, h)
            c.line([x, x + n * np.cos(a)], [y, y - n * np.sin(a)], min(w, h) * rng.uniform(0.003, 0.04), near(rng, (0.2, 0.17, 0.15), 0.3))
    return c


def poster(rng, c, x, y, w, h):
    """A sign, a screen, a sheet with text."""
    paper = color(rng, rng.choice([0, 0.1, 0.7]), rng.uniform(0.1, 1))
    ink = color(rng, None, 0.1 if sum(paper) > 1.5 else 0.95)
    c.rectangle(x, y, w, h, color=paper, texture=0.0)
    at, size = y + h * 0.05, h * rng.uniform(0.04, 0.3)
    while at + size < y + h:
        words = " ".join(letters(rng, rng.integers(2, 9)) for _ in range(rng.integers(1, 8)))
        c.text(x + w * 0.06, at, words[: max(int(w * 0.9 / (size * 0.6)), 1)], size, ink)
        at += size * rng.uniform(1.2, 2)
        if rng.random() < 0.3:
            size = h * rng.uniform(0.04, 0.15)


def room(rng, bank, w, h):
    wall = color(rng, rng.uniform(0, 0.3), rng.uniform(0.3, 0.95))
    c = Canvas(rng, bank, w, h, wall, rng.choice([0, 0.03, 0.1]))
    cx, top, bottom = w * rng.uniform(0.1, 0.9), h * rng.uniform(-0.1, 0.2), h * rng.uniform(0.55, 1.0)
    c.polygon([0, cx, cx, 0], [h * -0.2, top, bottom, h * 1.2], color=near(rng, wall, 0.15), texture=rng.choice([0, 0.05]))
    c.polygon([0, cx, w, w, 0], [h * 1.1, bottom, h * 1.1, h * 2, h * 2], color=color(rng, rng.uniform(0, 0.6)))
    for _ in range(rng.integers(1, 12)):  # furniture, frames, boxes with a lit side
        x, y, bw, bh = rng.random() * w, rng.random() * h, w * rng.uniform(0.04, 0.4), h * rng.uniform(0.04, 0.5)
        b, kind = color(rng), rng.integers(5)
        if kind == 0:
            c.rectangle(x, y, bw, bh, color=b)
            c.rectangle(x + bw * 0.1, y + bh * 0.1, bw * 0.8, bh * 0.8, color=color(rng))
            leaves(rng, c, 20, palette(rng, 4), 2, bw * 0.2, (x + bw * 0.2, y + bh * 0.2, bw * 0.6, bh * 0.6))
        elif kind == 1:  # a shelf
            n = rng.integers(3, 20)
            c.rectangle(x, y, bw, bh, color=near(rng, b))
            for i in range(n):
                k = rng.uniform(0.5, 0.95)
                c.rectangle(x + bw * i / n, y + bh * (1 - k), bw * 0.85 / n, bh * k, color=color(rng))
        elif kind == 2:
            poster(rng, c, x, y, bw, bh)
        elif kind == 3:
            c.ellipse(x, y, bw * 0.5, bh * 0.5, 0, color=b, light=(*rng.normal(0, 0.4, 2), 0.4))
        else:
            d = bw * rng.uniform(0.1, 0.5)
            c.rectangle(x, y, bw, bh, color=b)
            c.polygon([x + bw, x + bw + d, x + bw + d, x + bw], [y, y - d, y + bh - d, y + bh], color=near(rng, b, 0.3))
            c.polygon([x, x + d, x + bw + d, x + bw], [y, y - d, y - d, y], color=near(rng, b, 0.3))
    return c


def sheet(rng, bank, w, h):
    """A document or a screen that fills most of the view."""
    c = Canvas(rng, bank, w, h, color(rng, 0.2), 0.1)
    m = min(w, h) * rng.uniform(-0.05, 0.15)
    poster(rng, c, m, m, w - 2 * m, h - 2 * m)
    if rng.random() < 0.6:
        leaves(rng, c, rng.integers(5, 60), palette(rng, 4), 3, min(w, h) * 0.25)
    return c


def things(rng, bank, w, h):
    """A few solid things before a smooth studio background."""
    back = color(rng, rng.uniform(0, 0.5), rng.choice([0.03, 0.3, 0.6, 0.85, 0.97]))
    c = Canvas(rng, bank, w, h, back, 0.0)
    if rng.random() < 0.5:
        c.rectangle(0, h * rng.uniform(0.5, 0.8), w, h, color=near(rng, back, 0.2), texture=rng.choice([0, 0.1]))
    first = len(c.rows)
    subject(rng, c)
    return c, first


def subject(rng, c):
    """One or a few things near the middle, large enough to matter."""
    w, h, s = c.width, c.height, min(c.width, c.height)
    kind = rng.integers(4)
    x, y = w * rng.uniform(0.3, 0.7), h * rng.uniform(0.35, 0.7)
    if kind == 0:
        face(rng, c, x, y, s * rng.uniform(0.12, 0.35))
    elif kind == 1:
        furry(rng, c, x, y, s * rng.uniform(0.15, 0.4))
    elif kind == 2:
        colors = palette(rng, 5)
        r = s * rng.uniform(0.2, 0.45)
        leaves(rng, c, rng.integers(10, 250), colors, s * 0.01, r * 0.6, (x - r, y - r, 2 * r, 2 * r))
    else:
        for _ in range(rng.integers(1, 7)):
            r = s * rng.uniform(0.06, 0.3)
            at = (x + rng.normal(0, s * 0.2), y + rng.normal(0, s * 0.15))
            light = (*rng.normal(0, 0.4, 2), rng.uniform(0, 0.6))
            if rng.random() < 0.6:
                c.ellipse(*at, r, r * rng.uniform(0.4, 1.3), rng.uniform(0, 3), color=color(rng), light=light)
            else:
                c.rectangle(at[0] - r, at[1] - r, 2 * r, r * rng.uniform(0.6, 2.5), color=color(rng), light=light)
            if rng.random() < 0.4:
                c.text(at[0] - r * 0.7, at[1], letters(rng, rng.integers(2, 8)), r * rng.uniform(0.2, 0.5), color(rng))


def furry(rng, c, x, y, r):
    """An animal's body and head, all hair."""
    coat = [near(rng, b, 0.2) for b in (lambda b: (b, b, color(rng, 0.2)))(color(rng, rng.uniform(0, 0.7)))]
    c.ellipse(x, y + r, r * 1.3, r, rng.uniform(-0.4, 0.4), color=coat[0], texture=0.1, light=(0.2, -0.2, 0.3))
    c.ellipse(x, y, r * 0.7, r * 0.65, 0, color=coat[1], texture=0.1, light=(0.2, -0.2, 0.3))
    n, length = rng.integers(800, 4000), r * rng.uniform(0.04, 0.25)
    t, q = rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.random(n))
    body = rng.random(n) < 0.6
    x0 = x + np.where(body, 1.3, 0.7) * r * q * np.cos(t)
    y0 = y + np.where(body, r + r * q * np.sin(t), 0.65 * r * q * np.sin(t))
    a = t + rng.normal(0, 0.6, n)
    shades = [near(rng, coat[rng.integers(3)], 0.2) for _ in range(12)]
    c.strokes(np.stack([x0, y0, x0 + length * np.cos(a), y0 + length * np.sin(a)], 1), int(rng.integers(1, 3)), shades)
    for side in (-1, 1):
        c.polygon(x + r * np.array([0.25, 0.6, 0.65]) * side, y - r * np.array([0.5, 0.95, 0.3]), color=near(rng, coat[0], 0.2))
        c.ellipse(x + side * r * 0.27, y - r * 0.1, r * 0.1, r * 0.1, 0, color=(0.1, 0.08, 0.05), texture=0.0)
    c.ellipse(x, y + r * 0.2, r * 0.1, r * 0.07, 0, color=(0.15, 0.1, 0.1), texture=0.0)


def face(rng, c, x, y, r):
    """A head of ellipses on shoulders; r is half the head's width."""
    skin, hair = near(rng, SKIN[rng.integers(len(SKIN))], 0.05), near(rng, (0.25, 0.17, 0.12), 0.4)
    light = (rng.normal(0, 0.25), rng.normal(-0.1, 0.15), rng.uniform(0.1, 0.5))
    long_hair = rng.random() < 0.4
    if long_hair:
        c.ellipse(x, y + r * 0.3, r * 1.4, r * 2, 0, color=hair, texture=0.2)
    cloth = color(rng)
    c.polygon(x + r * np.array([-2.4, -1.9, -0.5, 0.5, 1.9, 2.4]), y + r * np.array([4.5, 1.9, 1.4, 1.4, 1.9, 4.5]), color=cloth)
    c.rectangle(x - r * 0.45, y + r * 0.7, r * 0.9, r * 1.0, color=near(rng, skin, 0.05), texture=0.02, light=light)
    if rng.random() < 0.4:  # a collar, a tie
        c.polygon(x + r * np.array([-0.6, 0, 0.6]), y + r * np.array([1.4, 2.5, 1.4]), color=color(rng, 0.1, 0.9))
        c.polygon(x + r * np.array([-0.15, 0.15, 0.2, -0.2]), y + r * np.array([1.7, 1.7, 4, 4]), color=color(rng))
    c.ellipse(x, y - r * 0.35, r * 1.08, r * 1.15, 0, color=hair, texture=0.3)
    c.ellipse(x, y, r, r * 1.3, 0, color=skin, texture=rng.choice([0.02, 0.05]), light=light)
    c.ellipse(x, y - r * 1.0, r * 0.95, r * 0.5, 0, color=hair, texture=0.3)
    n = rng.integers(100, 900)
    t, q = rng.uniform(np.pi, 2 * np.pi, n), rng.uniform(0.95, 1.25, n)
    x0, y0 = x + r * q * np.cos(t), y - r * 0.35 + r * q * np.sin(t)
    d = rng.normal(0, r * 0.15, (2, n))
    c.strokes(np.stack([x0, y0, x0 + d[0], y0 + d[1]], 1), 1, [near(rng, hair, 0.3) for _ in range(6)])
    for side in (-1, 1):
        ex, ey = x + side * r * 0.4, y - r * 0.15
        c.ellipse(ex, ey, r * 0.2, r * 0.1, 0, color=(0.92, 0.9, 0.88), texture=0.0)
        c.ellipse(ex, ey, r * 0.1, r * 0.1, 0, color=near(rng, (0.3, 0.25, 0.2), 0.3), texture=0.0)
        c.ellipse(ex, ey, r * 0.05, r * 0.05, 0, color=(0.02, 0.02, 0.02), texture=0.0)
        c.line([ex - r * 0.25, ex, ex + r * 0.25], [ey - r * 0.2, ey - r * 0.3, ey - r * 0.2], r * 0.07, hair)
    c.polygon(x + r * np.array([0, 0.15, -0.15]), y + r * np.array([-0.1, 0.4, 0.4]), color=near(rng, np.asarray(skin) * 0.88, 0.03), texture=0.0)
    c.ellipse(x, y + r * 0.72, r * 0.35, r * rng.uniform(0.06, 0.16), 0, color=(skin[0] * 0.85, skin[1] * 0.55, skin[2] * 0.55), texture=0.0)
    if rng.random() < 0.35:  # glasses
        for side in (-1, 1):
            t = np.linspace(0, 2 * np.pi, 24)
            c.line(x + side * r * 0.4 + r * 0.3 * np.cos(t), y - r * 0.15 + r * 0.22 * np.sin(t), r * 0.06, (0.05, 0.05, 0.05))


BACKGROUNDS = [dead_leaves, foliage, landscape, room, sheet]


def shallow(rng, bank, w, h):
    """A sharp subject before a background out of focus; linear light."""
    back = BACKGROUNDS[rng.integers(4)](rng, bank, w, h).render()
    front = Canvas(rng, bank, w, h, (0, 0, 0), 0.0)
    subject(rng, front)
    mask = gaussian(front.covered(1)[..., None].astype(np.float32), 0.7)
    back = convolve(to_linear(back), disk(min(w, h) * rng.uniform(0.01, 0.06)))
    return back * (1 - mask) + to_linear(front.render()) * mask


def plain(rng, bank, w, h):
    """Smooth things with sharp edges and no texture: toys, furniture, a desk."""
    back = color(rng, rng.uniform(0, 0.5), rng.uniform(0.2, 1))
    c = Canvas(rng, bank, w, h, back, 0.0)
    s = min(w, h)
    colors = palette(rng, rng.integers(2, 8))
    if rng.random() < 0.5:
        c.rectangle(0, h * rng.uniform(0.3, 0.8), w, h, color=near(rng, back, 0.2), texture=0.0)
    for _ in range(rng.integers(3, 90)):
        x, y, r, q = rng.random() * w, rng.random() * h, s * rng.uniform(0.02, 0.25), s * rng.uniform(0.02, 0.25)
        looks = dict(color=near(rng, colors[rng.integers(len(colors))]), texture=0.0)
        kind = rng.integers(4)
        if kind == 0:
            c.ellipse(x, y, r, q, rng.uniform(0, 3), light=(*rng.normal(0, 0.3, 2), rng.uniform(0, 0.5)), **looks)
        elif kind == 1:
            c.rectangle(x, y, r, q, **looks)
        elif kind == 2:  # a box with three faces
            d = r * rng.uniform(0.2, 0.7)
            c.rectangle(x, y, r, q, **looks)
            c.polygon([x + r, x + r + d, x + r + d, x + r], [y, y - d, y + q - d, y + q], near(rng, looks["color"], 0.3), 0.0)
            c.polygon([x, x + d, x + r + d, x + r], [y, y - d, y - d, y], near(rng, looks["color"], 0.3), 0.0)
        else:
            t = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
            c.polygon(x + r * np.cos(t), y + q * np.sin(t), **looks)
    if rng.random() < 0.2:
        face(rng, c, w * rng.uniform(0.3, 0.7), h * rng.uniform(0.3, 0.6), s * rng.uniform(0.1, 0.3))
    return to_linear(c.render())


def composed(rng, bank, w, h):
    """The scene as colored surfaces, linear."""
    kind = rng.choice(["leaves", "foliage", "landscape", "room", "people", "sheet", "things", "shallow"], p=[0.14, 0.12, 0.14, 0.14, 0.14, 0.05, 0.11, 0.16])
    if kind == "shallow":
        return shallow(rng, bank, w, h)
    if kind == "things":
        return to_linear(things(rng, bank, w, h)[0].render())
    c = {"leaves": dead_leaves, "foliage": foliage, "landscape": landscape, "room": room, "people": room, "sheet": sheet}[kind](rng, bank, w, h)
    if kind == "people" or (kind in ("room", "landscape") and rng.random() < 0.4):
        for _ in range(1 if rng.random() < 0.7 else 3):
            face(rng, c, w * rng.uniform(0.2, 0.8), h * rng.uniform(0.3, 0.6), min(w, h) * rng.uniform(0.05, 0.3))
    return to_linear(c.render())


def lit(rng, bank, image):
    """Uneven light, a cast shadow, a spot: multiplied in linear light."""
    h, w = image.shape[:2]
    y, x = np.mgrid[:h, :w].astype(np.float32)
    stops = rng.uniform(0, 0.5) * bank.lighting(rng, w, h)
    stops = stops + rng.normal(0, 0.7) * (x / w - 0.5) + rng.normal(0, 0.7) * (y / h - 0.5)
    if rng.random() < 0.15:  # low key: a spot on the subject, night around it
        d = np.hypot(x / w - rng.uniform(0.3, 0.7), y / h - rng.uniform(0.3, 0.7))
        stops = stops - rng.uniform(2, 9) * np.clip(d - rng.uniform(0.1, 0.4), 0, None) * 2
    if rng.random() < 0.3:  # sun and shadow
        field = bank.lighting(rng, w, h) + rng.normal(0, 1) * (x / w) + rng.normal(0, 1) * (y / h)
        edge = np.clip((field - np.median(field) + rng.normal(0, 0.3)) * rng.uniform(3, 60), 0, 1)
        stops = stops - rng.uniform(1, 3) * edge
    return image * np.exp2(stops)[..., None].astype(np.float32)


def scene(rng, bank, w, h, smooth=False):
    """A scene in linear light, exposed as a camera would: float32 h x w x 3.

    1 is where the sensor clips. At most a fifth of the frame does. Where smooth
    is true it is one of plain()."""
    image = lit(rng, bank, (plain if smooth else composed)(rng, bank, w, h)) + 0.001
    bright = image.max(-1)
    at = np.quantile(bright[::4, ::4], rng.uniform(0.85, 0.995))
    return image * (rng.uniform(0.6, 1.1) / at)
