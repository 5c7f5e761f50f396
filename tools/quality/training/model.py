"""MobileNetV2 (Sandler et al., CVPR 2018, arXiv:1801.04381), width 0.35.

The last 1x1 convolution has 256 channels in place of 1280, for seven classes."""

import torch.nn as nn

WIDTH = 0.35
HEAD = 256
# expansion, channels, repetitions, stride of the first: table 2 of the paper
BLOCKS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def scaled(channels):
    """The channels at this width, a multiple of 8 and no more than 10 % less."""
    n = max(8, int(channels * WIDTH + 4) // 8 * 8)
    return n + 8 if n < 0.9 * channels * WIDTH else n


class Convolution(nn.Sequential):
    """Convolution, batch norm, perhaps ReLU6. Padding as TensorFlow's SAME:
    at stride 2 and an even size, nothing left and above, one right and below."""

    def __init__(self, n_in, n_out, kernel=1, stride=1, depthwise=False, relu=True):
        layers = []
        if stride == 2:
            layers.append(nn.ZeroPad2d((0, 1, 0, 1)))
        padding = kernel // 2 if stride == 1 else 0
        groups = n_in if depthwise else 1
        layers += [nn.Conv2d(n_in, n_out, kernel, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(n_out)]
        if relu:
            layers.append(nn.ReLU6(inplace=True))
        super().__init__(*layers)
        self.stride, self.depthwise, self.relu = stride, depthwise, relu


class Block(nn.Module):
    """An inverted residual with a linear bottleneck."""

    def __init__(self, n_in, n_out, stride, expansion):
        super().__init__()
        wide = n_in * expansion
        layers = [Convolution(n_in, wide)] if expansion > 1 else []
        layers += [Convolution(wide, wide, 3, stride, depthwise=True), Convolution(wide, n_out, relu=False)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and n_in == n_out

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


class Quality(nn.Module):
    """Images N x 3 x side x side in [-1, 1] to logits N x classes."""

    def __init__(self, classes):
        super().__init__()
        n = scaled(32)
        self.first = Convolution(3, n, 3, 2)
        blocks = []
        for expansion, channels, repetitions, stride in BLOCKS:
            for i in range(repetitions):
                blocks.append(Block(n, scaled(channels), stride if i == 0 else 1, expansion))
                n = scaled(channels)
        self.blocks = nn.Sequential(*blocks)
        self.last = Convolution(n, HEAD)
        self.dropout = nn.Dropout(0.2)
        self.classify = nn.Linear(HEAD, classes)

    def forward(self, x):
        x = self.last(self.blocks(self.first(x))).mean((2, 3))
        return self.classify(self.dropout(x))


def multiply_adds(side, classes):
    """Multiply-adds for one image."""
    total, size = 0, side

    def count(c):
        nonlocal total, size
        conv = next(m for m in c if isinstance(m, nn.Conv2d))
        size //= c.stride
        total += size * size * conv.weight.numel()

    model = Quality(classes)
    for m in model.modules():
        if isinstance(m, Convolution):
            count(m)
    return total + HEAD * classes, sum(p.numel() for p in model.parameters())
