"""Write a trained model as plain numbers for `go run ./models/quality/export`.

    python3 export.py MODEL.pt CALIBRATION.npz OUT

makes OUT.json (the layers in order, with the range of what each gives on the
calibration images) and OUT.f32 (weights and biases, batch norm folded in, as
little-endian float32 in TensorFlow Lite's layouts)."""

import argparse
import json

import numpy as np
import torch

from dataset import SIDE
from degrade import CLASSES
from model import Convolution, Quality
from train import load, normalized

KEPT = 1e-5  # of the values beyond each end of a range, which are clipped


class Exporter:
    def __init__(self, values):
        self.values = [values]  # of each tensor, on the calibration images
        self.layers, self.numbers, self.count = [], [], 0

    def store(self, array):
        array = np.ascontiguousarray(array.detach().numpy(), np.float32)
        self.numbers.append(array.reshape(-1))
        self.count += array.size
        return self.count - array.size

    def add(self, values, **layer):
        """Append a layer that gives values; the number of its tensor."""
        flat = values.reshape(-1).numpy()
        layer["range"] = [float(np.quantile(flat[::7], q)) for q in (KEPT, 1 - KEPT)]
        self.layers.append(layer)
        self.values.append(values)
        return len(self.values) - 1

    def convolution(self, at, c):
        conv, norm = (next(m for m in c if isinstance(m, t)) for t in (torch.nn.Conv2d, torch.nn.BatchNorm2d))
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weights = (conv.weight * gain[:, None, None, None]).permute(0, 2, 3, 1)  # out, h, w, in
        if c.depthwise:
            weights = weights.permute(3, 1, 2, 0)  # 1, h, w, channels
        return self.add(
            c(self.values[at]),
            op="depthwise" if c.depthwise else "convolution",
            inputs=[at],
            stride=c.stride,
            relu6=c.relu,
            shape=list(weights.shape),
            weights=self.store(weights),
            bias=self.store(norm.bias - norm.running_mean * gain),
        )


@torch.no_grad()
def exported(model, images):
    model.eval()
    e = Exporter(normalized(images))
    at = e.convolution(0, model.first)
    for block in model.blocks:
        came = at
        for c in block.layers:
            at = e.convolution(at, c)
        if block.residual:
            at = e.add(e.values[came] + e.values[at], op="add", inputs=[came, at])
            e.values[came] = None
        for i in range(1, at):  # what no layer to come needs
            e.values[i] = None
    at = e.convolution(at, model.last)
    at = e.add(e.values[at].mean((2, 3)), op="mean", inputs=[at])
    dense = model.classify
    at = e.add(dense(e.values[at]), op="dense", inputs=[at], shape=list(dense.weight.shape), weights=e.store(dense.weight), bias=e.store(dense.bias))
    e.add(torch.softmax(e.values[at], 1), op="softmax", inputs=[at])
    return e


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("model")
    p.add_argument("calibration")
    p.add_argument("out")
    p.add_argument("--most", type=int, default=350, help="images to calibrate with")
    a = p.parse_args()
    torch.set_num_threads(1)
    model = Quality(len(CLASSES))
    model.load_state_dict(torch.load(a.model))
    images, _ = load([a.calibration])
    e = exported(model, images[: a.most])
    with open(a.out + ".json", "w") as f:
        json.dump({"side": images.shape[-1], "classes": CLASSES, "layers": e.layers}, f, indent=1)
    np.concatenate(e.numbers).astype("<f4").tofile(a.out + ".f32")


if __name__ == "__main__":
    main()
