"""Train the model: python3 train.py OUT.pt TRAIN.npz... [--validation V.npz]

One process, one thread by default; the result is the same for the same files, seed
and number of threads."""

import argparse
import time

import numpy as np
import torch

from degrade import CLASSES
from model import Quality


def load(files):
    images, labels = [], []
    for name in files:
        with np.load(name) as f:
            images.append(f["images"])
            labels.append(f["labels"])
    return torch.from_numpy(np.concatenate(images)).permute(0, 3, 1, 2), torch.from_numpy(np.concatenate(labels))


def normalized(images):
    """Bytes to the input values of the int8 model: scale 1/127.5, zero point 127."""
    return (images.float() - 127) / 127.5


def varied(images, g):
    """Mirror, turn, swap color channels, change brightness a little: changes that
    do not affect the verdict."""
    if torch.rand((), generator=g) < 0.5:
        images = images.flip(3)
    if torch.rand((), generator=g) < 0.25:
        images = images.flip(2)
    if torch.rand((), generator=g) < 0.25:
        images = images.transpose(2, 3)
    if torch.rand((), generator=g) < 0.3:
        images = images[:, torch.randperm(3, generator=g)]
    gain = 1 + 0.1 * (torch.rand((len(images), 1, 1, 1), generator=g) - 0.5)
    return normalized((images.float() * gain).clamp(0, 255)).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def predict(model, images, batch=256):
    model.eval()
    return torch.cat([torch.softmax(model(normalized(p)), 1) for p in images.split(batch)])


def recalls(predicted, labels):
    return [float((predicted[labels == c] == c).float().mean()) for c in range(len(CLASSES))]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("out")
    p.add_argument("train", nargs="+")
    p.add_argument("--validation", nargs="*", default=[])
    p.add_argument("--epochs", type=int, default=25)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--rate", type=float, default=3e-3)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--start", help="weights to start from")
    p.add_argument("--favor", nargs="*", default=[], choices=CLASSES, help="classes whose images count for 1.4")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    g = torch.Generator().manual_seed(a.seed)
    images, labels = load(a.train)
    checks = [(name, *load([name])) for name in a.validation]
    model = Quality(len(CLASSES)).to(memory_format=torch.channels_last)
    if a.start:
        model.load_state_dict(torch.load(a.start))
    steps = a.epochs * (len(images) // a.batch)
    optimizer = torch.optim.AdamW(model.parameters(), a.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, a.rate, total_steps=steps + 1, pct_start=0.15)
    weights = torch.tensor([1.4 if c in a.favor else 1.0 for c in CLASSES])
    loss_of = torch.nn.CrossEntropyLoss(weights, label_smoothing=0.05)
    for epoch in range(a.epochs):
        model.train()
        began, total = time.time(), 0.0
        for chosen in torch.randperm(len(images), generator=g).split(a.batch):
            if len(chosen) < a.batch:
                continue
            loss = loss_of(model(varied(images[chosen], g)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        print(f"epoch {epoch + 1}: loss {total / len(images):.3f}, {time.time() - began:.0f} s", flush=True)
        if epoch % 4 == 3 or epoch + 1 == a.epochs:
            for name, x, y in checks:
                r = recalls(predict(model, x).argmax(1), y)
                print(f"  {name}: {np.mean(r):.3f}  " + "  ".join(f"{c} {v:.3f}" for c, v in zip(CLASSES, r)), flush=True)
            torch.save(model.state_dict(), a.out)


if __name__ == "__main__":
    main()
