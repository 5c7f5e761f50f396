"""The article's recognition service, written from its description: Flask takes
the image, Pillow decodes and resizes it, NumPy quantizes it, TensorFlow Lite
recognizes it. It is here to be measured beside edgelens, and is as fast as its
design allows: what can be done once is done once, when a worker starts.
"""

import collections
import hashlib
import io
import os
import platform
import threading

import flask
import gunicorn
import numpy as np
import PIL
from PIL import Image

from tflite import Interpreter

TOP = 3
CACHE_ENTRIES = 1000

app = flask.Flask(__name__)
interpreter = Interpreter(
    os.environ["PEER_TFLITE"],
    os.environ["PEER_MODEL"],
    xnnpack=os.environ["PEER_DELEGATE"] == "xnnpack",
    threads=int(os.environ["PEER_THREADS"]),
)
interpreter_lock = threading.Lock()
with open(os.environ["PEER_LABELS"], encoding="utf-8") as lines:
    labels = lines.read().splitlines()
cache = collections.OrderedDict()
cache_lock = threading.Lock()


def quantization_table():
    """What each byte of an image becomes in the input tensor: MobileNet is
    trained on (x - 127.5) / 127.5. None where that is the byte itself, as it
    is for both models here but for rounding."""
    tensor = interpreter.input
    real = (np.arange(256, dtype=np.float64) - 127.5) / 127.5
    low, high = np.iinfo(tensor.dtype).min, np.iinfo(tensor.dtype).max
    table = np.clip(np.round(real / tensor.scale + tensor.zero_point), low, high)
    if tensor.dtype == np.uint8 and np.abs(table - np.arange(256)).max() <= 1:
        return None
    return table.astype(tensor.dtype)


table = quantization_table()


def recognize(data):
    _, height, width, _ = interpreter.input.shape
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image.convert("RGB").resize((width, height)))
    tensor = pixels if table is None else table[pixels]
    with interpreter_lock:
        scores = interpreter.invoke(tensor).ravel()
    best = np.argsort(scores)[: -TOP - 1 : -1]
    output = interpreter.output
    return [
        {
            "class_id": int(i),
            "label": labels[i] if i < len(labels) else "",
            "probability": round(output.scale * (int(scores[i]) - output.zero_point), 6),
        }
        for i in best
    ]


def answer(recognizer):
    file = flask.request.files.get("file")
    if file is None:
        return {"error": "send an image in the form field file"}, 400
    try:
        return {"predictions": recognizer(file.read())}
    except (OSError, ValueError, Image.DecompressionBombError) as fault:
        return {"error": str(fault)}, 422


def recognize_cached(data):
    """The cache is each worker's own, as an lru_cache would be."""
    key = hashlib.md5(data, usedforsecurity=False).digest()
    with cache_lock:
        if key in cache:
            cache.move_to_end(key)
            return cache[key]
    found = recognize(data)
    with cache_lock:
        cache[key] = found
        if len(cache) > CACHE_ENTRIES:
            cache.popitem(last=False)
    return found


@app.post("/api/recognize")
def post_recognize():
    return answer(recognize)


@app.post("/api/recognize_cached")
def post_recognize_cached():
    return answer(recognize_cached)


@app.get("/healthz")
def healthz():
    """Tells the harness what it measures."""
    return {
        "service": f"Flask {flask.__version__}, gunicorn {gunicorn.__version__} ({os.environ['PEER_SERVER']}), "
        f"Pillow {PIL.__version__}, NumPy {np.__version__}, Python {platform.python_version()}, "
        f"TensorFlow Lite {interpreter.version()}"
    }


# A worker is asked when it is warm: the first run of a model is slow.
interpreter.invoke(np.zeros(interpreter.input.shape, interpreter.input.dtype))
