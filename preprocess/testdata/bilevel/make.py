#!/usr/bin/python3
"""make.py: writes the bilevel TIFF files beside it, and as PNG what Pillow (Debian's
python3-pil, with libtiff) reads of each."""
import pathlib

from PIL import Image

PHOTOMETRIC, FILL_ORDER = 262, 266
folder = pathlib.Path(__file__).resolve().parent

# An image without symmetry, mostly white, as on a fax.
image = Image.new("1", (29, 17), 1)
for x in range(29):
    for y in range(17):
        if (x * x + 3 * y) % 11 < 3 or (x < 9 and y < 5 and (x + y) % 4):
            image.putpixel((x, y), 0)

for name, compression in (("raw", "raw"), ("group3", "group3"), ("group4", "group4")):
    for photometric in (0, 1):
        for order in (1, 2):
            if name == "raw" and order == 2:
                continue
            tags = {PHOTOMETRIC: photometric}
            if order == 2:
                tags[FILL_ORDER] = order
            path = folder / f"{name}_photometric{photometric}_fillorder{order}.tif"
            image.save(path, compression=compression, tiffinfo=tags)
            Image.open(path).convert("L").save(path.with_suffix(".png"))
