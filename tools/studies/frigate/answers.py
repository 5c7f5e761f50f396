"""Computes what Frigate's state classification answers for images: the golden of internal/app's TestFrigateAnswers.

    EDGELENS_FRIGATE_DIR=/tmp/frigate go test ./internal/app -run TestFrigateAnswers
    pip install numpy opencv-python-headless ai-edge-litert
    python tools/studies/frigate/answers.py /tmp/frigate > internal/app/testdata/frigate_answers.json

The steps are those of CustomStateClassificationProcessor.process_frame in frigate/data_processing/real_time/
custom_classification.py of Frigate 0.17: RGB, the crop, cv2.resize to 224x224 with its default interpolation, the bytes
into the input as they are, and each output divided by their sum; the score is rounded to two decimals.
"""

import json
import pathlib
import sys

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter


def answer(interpreter, labels, path, crop):
    rgb = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    height, width = rgb.shape[:2]
    x1, y1, x2, y2 = (int(crop[0] * width), int(crop[1] * height), int(crop[2] * width), int(crop[3] * height))
    resized = cv2.resize(rgb[y1:y2, x1:x2], (224, 224))
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.expand_dims(resized, axis=0))
    interpreter.invoke()
    result = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    shares = result / result.sum(axis=0)
    best = int(np.argmax(shares))
    return {"label": labels[best], "score": round(float(shares[best]), 2), "shares": [round(float(s), 6) for s in shares]}


def main(folder):
    folder = pathlib.Path(folder)
    interpreter = Interpreter(model_path=str(folder / "model.tflite"), num_threads=2)
    interpreter.allocate_tensors()
    labels = (folder / "labelmap.txt").read_text().splitlines()
    crops = json.loads((folder / "crops.json").read_text())
    answers = {name: answer(interpreter, labels, folder / name, crop) for name, crop in sorted(crops.items())}
    json.dump(answers, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main(sys.argv[1])
