"""A canvas of opaque objects, each with a color, a shading and a texture.

Objects are painted back to front as numbers into a map; color, shading and
texture are then looked up by number for all pixels at once. A dead-leaves
image (Lee, Mumford, Huang, "Occlusion models for natural images", IJCV 41,
2001) is a canvas of many shapes whose sizes follow a power law.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TEXTURES = 6  # different ones in a scene


def font(size):
    """DejaVu Sans (Debian: fonts-dejavu-core)."""
    return ImageFont.truetype("DejaVuSans.ttf", max(int(size), 6))


def letters(rng, n):
    """A meaningless word of n letters."""
    return "".join(rng.choice(list("aabcdeeefghiiklmnnoopqrsttuuvwxyzAEHMRST0123456789"), n))


class Canvas:
    def __init__(self, rng, bank, width, height, color, texture=0.0):
        self.rng, self.width, self.height = rng, width, height
        self.ids = Image.new("I", (width, height), 0)
        self.draw = ImageDraw.Draw(self.ids)
        self.textures = [bank.crop(rng, width, height) for _ in range(TEXTURES)]
        self.rows = []
        self.material(color, texture, (width / 2, height / 2, max(width, height)))

    def material(self, color, texture=None, place=None, light=None):
        """Add an object's appearance; returns the number that it is painted with.

        color is RGB in 0..1 (as seen, sRGB), texture the contrast of the
        texture on it, place (x, y, radius) and light (gx, gy, bulge) its shading."""
        rng = self.rng
        if texture is None:
            texture = rng.choice([0, 0.04, 0.1, 0.2, 0.4])
        if light is None:
            light = (*rng.normal(0, 0.15, 2), 0)
        if place is None:
            place = (0, 0, 1e6)
        self.rows.append((*color, rng.integers(TEXTURES), texture, *place, *light))
        return len(self.rows) - 1

    def ellipse(self, x, y, rx, ry, angle=0.0, **looks):
        t = np.linspace(0, 2 * np.pi, 40)[:-1]
        px, py = rx * np.cos(t), ry * np.sin(t)
        self.polygon(x + px * np.cos(angle) - py * np.sin(angle), y + px * np.sin(angle) + py * np.cos(angle), **looks)

    def polygon(self, xs, ys, color, texture=None, light=None):
        xs, ys = np.asarray(xs), np.asarray(ys)
        place = (xs.mean(), ys.mean(), max(np.ptp(xs), np.ptp(ys), 1) / 2)
        n = self.material(color, texture, place, light)
        self.draw.polygon(list(zip(xs.tolist(), ys.tolist())), fill=n)

    def rectangle(self, x, y, w, h, **looks):
        self.polygon([x, x + w, x + w, x], [y, y, y + h, y + h], **looks)

    def line(self, xs, ys, width, color):
        n = self.material(color, 0.0)
        self.draw.line(list(zip(xs, ys)), fill=n, width=max(int(round(width)), 1), joint="curve")

    def strokes(self, lines, width, colors):
        """Many thin lines: hair, fur, grass. lines has rows x0, y0, x1, y1."""
        numbers = [self.material(c, 0.0) for c in colors]
        for row in lines.tolist():
            self.draw.line(row, fill=numbers[self.rng.integers(len(numbers))], width=width)

    def text(self, x, y, words, size, color):
        n = self.material(color, 0.0)
        mask = Image.new("L", (self.width, self.height), 0)
        ImageDraw.Draw(mask).text((x, y), words, font=font(size), fill=255)
        self.ids.paste(n, (0, 0), mask.point(lambda v: 255 * (v > 110)))

    def covered(self, first):
        """The mask of everything that was painted from object number first on."""
        return np.asarray(self.ids) >= first

    def render(self):
        """The image, sRGB in 0..1, float32, height x width x 3."""
        ids = np.asarray(self.ids)
        rows = np.asarray(self.rows, np.float32)
        y, x = np.mgrid[: self.height, : self.width].astype(np.float32)
        radius = rows[:, 7][ids]
        dx, dy = (x - rows[:, 5][ids]) / radius, (y - rows[:, 6][ids]) / radius
        shade = 1 + rows[:, 8][ids] * dx + rows[:, 9][ids] * dy - rows[:, 10][ids] * (dx * dx + dy * dy)
        texture = np.choose(rows[:, 3].astype(np.int32)[ids], self.textures)
        shade = np.clip(shade, 0.1, 1.8) * np.exp(rows[:, 4][ids] * texture)
        return np.clip(rows[:, :3][ids] * shade[..., None], 0, 1)
