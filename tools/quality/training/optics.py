"""Light: sRGB and linear values, convolution, point spread functions.

Images are float32 arrays, height x width x channels, 1.0 being white.
"""

import numpy as np
import torch

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709, linear


def to_linear(srgb):
    """IEC 61966-2-1 (sRGB), decoded."""
    srgb = np.asarray(srgb, np.float32)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_srgb(linear):
    """IEC 61966-2-1 (sRGB), encoded; clipped to 0..1."""
    at = np.clip(linear, 0, 1) * np.float32(_STEPS - 1)
    return _SRGB[(at + 0.5).astype(np.int32)]


_STEPS = 1 << 17  # of a table, the steps of which are below a tenth of one of 255
_SRGB = np.linspace(0, 1, _STEPS)
_SRGB = np.where(_SRGB <= 0.0031308, _SRGB * 12.92, 1.055 * _SRGB ** (1 / 2.4) - 0.055).astype(np.float32)


def luma(linear):
    """The brightness of a linear image, as an sRGB value in 0..1."""
    return to_srgb(linear @ LUMA)


def disk(radius):
    """The point spread function of defocus: a disk, its edge smoothed."""
    n = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    k = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return (k / k.sum()).astype(np.float32)


def motion(rng, length):
    """That of a shaken camera: a path of the given length, slightly bent."""
    n = int(np.ceil(length / 2)) + 2
    t = np.linspace(-0.5, 0.5, 8 * n) * length
    a, bend = rng.uniform(0, np.pi), rng.normal(0, 0.15) / max(length, 1)
    u, v = t, bend * (t * t - length * length / 12)
    x, y = n + u * np.cos(a) - v * np.sin(a), n + u * np.sin(a) + v * np.cos(a)
    k = np.zeros((2 * n + 1, 2 * n + 1), np.float32)
    for dx in (0, 1):  # shared among the four nearest pixels
        for dy in (0, 1):
            ix, iy = np.floor(x).astype(int) + dx, np.floor(y).astype(int) + dy
            ok = (ix >= 0) & (iy >= 0) & (ix <= 2 * n) & (iy <= 2 * n)
            share = (1 - np.abs(x - ix)) * (1 - np.abs(y - iy))
            np.add.at(k, (iy[ok], ix[ok]), share[ok])
    return k / k.sum()


def convolve(image, kernel):
    """Convolution, the border mirrored; by FFT."""
    r = kernel.shape[0] // 2
    h, w = image.shape[:2]
    ry, rx = min(r, h - 1), min(r, w - 1)
    t = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
    t = torch.nn.functional.pad(t, (rx, rx, ry, ry), mode="reflect")[0]
    size = [_fast(t.shape[1] + kernel.shape[0] - 1), _fast(t.shape[2] + kernel.shape[1] - 1)]
    f = torch.fft.rfft2(t, s=size) * torch.fft.rfft2(torch.from_numpy(kernel), s=size)
    out = torch.fft.irfft2(f, s=size)[:, r + ry : r + ry + h, r + rx : r + rx + w]
    return out.numpy().transpose(1, 2, 0)


def _fast(n):
    """The next length that is fast for an FFT: only factors 2, 3 and 5."""
    while True:
        m = n
        for p in (2, 3, 5):
            while m % p == 0:
                m //= p
        if m == 1:
            return n
        n += 1


def gaussian(image, sigma):
    """Gaussian blur, the border mirrored: by rows and columns where sigma is
    small, else by FFT with its known transform."""
    h, w = image.shape[:2]
    n = min(int(np.ceil(3 * sigma)), h - 1, w - 1)
    if sigma < 2.5:
        k = np.exp(-0.5 * (np.arange(n + 1) / sigma) ** 2)
        k = (k / (2 * k.sum() - 1)).astype(np.float32)
        return _taps(_taps(np.asarray(image, np.float32), k, 0), k, 1)
    t = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
    t = torch.nn.functional.pad(t, (n, n, n, n), mode="reflect")[0]
    size = [_fast(h + 2 * n), _fast(w + 2 * n)]
    fy, fx = torch.fft.fftfreq(size[0])[:, None], torch.fft.rfftfreq(size[1])[None]
    f = torch.fft.rfft2(t, s=size) * torch.exp(-2 * (np.pi * sigma) ** 2 * (fy**2 + fx**2))
    return torch.fft.irfft2(f, s=size)[:, n : n + h, n : n + w].numpy().transpose(1, 2, 0)


def _taps(image, half, axis):
    """Convolution of one axis with a symmetric kernel, given from its middle."""
    n, size = len(half) - 1, image.shape[axis]
    pad = [(n, n) if a == axis else (0, 0) for a in range(3)]
    padded = np.pad(image, pad, mode="symmetric")

    def part(i):
        return padded[i : i + size] if axis == 0 else padded[:, i : i + size]

    out = part(n) * half[0]
    both = np.empty_like(out)
    for i in range(1, n + 1):
        np.add(part(n - i), part(n + i), out=both)
        both *= half[i]
        out += both
    return out


def shrink(image, width, height):
    """The resizing of preprocess: bilinear between the four nearest pixels, no
    averaging (OpenCV INTER_LINEAR); uint8 in and out."""
    out = image.astype(np.float32)
    for axis, n in ((0, height), (1, width)):
        have = out.shape[axis]
        at = (np.arange(n) + 0.5) * have / n - 0.5
        low = np.floor(at).astype(int)
        part = (at - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        a, b = np.take(out, np.clip(low, 0, have - 1), axis), np.take(out, np.clip(low + 1, 0, have - 1), axis)
        out = a + (b - a) * part
    return np.round(out).astype(np.uint8)
