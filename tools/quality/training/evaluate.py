"""The model card's figures: confusion matrices of the float model and of the
.tflite file.

    python3 evaluate.py MODEL.pt MODEL.tflite --test TEST.npz --photos PHOTOS.npz [--card README.md]

With --card the text between the card's two marks is replaced. The .tflite file
is run by `go run ./tools/quality/evaluate`, so this is started in the
repository's root, after `eval "$(make env)"`."""

import argparse
import pathlib
import re
import subprocess

import numpy as np
import torch

from degrade import CLASSES
from model import Quality
from train import load, predict

BEGIN, END = "<!-- figures begin -->", "<!-- figures end -->"


def int8_scores(tflite, images):
    raw = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    done = subprocess.run(["go", "run", "./tools/quality/evaluate", tflite], input=raw.tobytes(), stdout=subprocess.PIPE, check=True)
    return torch.from_numpy(np.frombuffer(done.stdout, np.uint8).reshape(-1, len(CLASSES)).astype(np.float32) / 256)


def matrix(predicted, labels):
    n = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(n, (labels.numpy(), predicted.numpy()), 1)
    return n


def table(title, n):
    """A confusion matrix in Markdown: rows are what is true."""
    recall = n.diagonal() / n.sum(1)
    lines = [f"### {title}", "", f"{n.sum()} images; {100 * n.diagonal().sum() / n.sum():.1f} % right.", ""]
    lines += ["| true \\ verdict | " + " | ".join(CLASSES) + " | right |", "|---|" + "---:|" * (len(CLASSES) + 1)]
    for name, row, r in zip(CLASSES, n, recall):
        lines.append(f"| {name} | " + " | ".join(str(v) for v in row) + f" | {100 * r:.1f} % |")
    return "\n".join(lines) + "\n"


def by_photo(predicted, labels, sources):
    """The share of each photograph's images that are rated right, and the ratings
    of the untouched ones."""
    lines = ["### By photograph (int8)", "", "| photograph | all classes right | untouched taken for |", "|---|---:|---|"]
    for name in dict.fromkeys(sources.tolist()):
        mine = torch.from_numpy(sources == name)
        right = (predicted[mine] == labels[mine]).float().mean()
        verdicts = predicted[mine & (labels == 0)].tolist()
        ratings = ", ".join(f"{CLASSES[c]} {verdicts.count(c)}" for c in sorted(set(verdicts), key=lambda c: -verdicts.count(c)))
        lines.append(f"| {name} | {100 * right:.0f} % | {ratings} |")
    return "\n".join(lines) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("tflite")
    p.add_argument("--test", required=True)
    p.add_argument("--photos", required=True)
    p.add_argument("--card", type=pathlib.Path)
    a = p.parse_args()
    torch.set_num_threads(1)
    model = Quality(len(CLASSES))
    model.load_state_dict(torch.load(a.model))
    parts = []
    for title, name in (("Real photographs, degraded", a.photos), ("Synthetic images, held out", a.test)):
        images, labels = load([name])
        quantized = int8_scores(a.tflite, images).argmax(1)
        parts.append(table(f"{title}: the int8 model", matrix(quantized, labels)))
        parts.append(table(f"{title}: before quantization", matrix(predict(model, images).argmax(1), labels)))
        if name == a.photos:
            parts.append(by_photo(quantized, labels, np.load(name)["sources"]))
    text = "\n".join(parts)
    if not a.card:
        print(text)
        return
    card = a.card.read_text()
    a.card.write_text(re.sub(f"(?s){BEGIN}.*{END}", lambda _: f"{BEGIN}\n\n{text}\n{END}", card))


if __name__ == "__main__":
    main()
