"""Tests of the binding, on the library in PEER_TFLITE and the models below
EDGELENS_TEST_SHARED: python3 -m unittest, in this folder."""

import os
import pathlib
import unittest

import numpy as np
from PIL import Image

from tflite import Interpreter

LIBRARY = os.environ.get("PEER_TFLITE")
SHARED = os.environ.get("EDGELENS_TEST_SHARED")
EGYPTIAN_CAT = 286


@unittest.skipUnless(LIBRARY and SHARED, "PEER_TFLITE or EDGELENS_TEST_SHARED is unset")
class TestInterpreter(unittest.TestCase):
    int8 = "tf2_mobilenet_v2_1.0_224_ptq.tflite"
    uint8 = "mobilenet_v2_1.0_224_quant.tflite"

    def open(self, name, **how):
        interpreter = Interpreter(LIBRARY, pathlib.Path(SHARED, "models", name), **how)
        self.addCleanup(interpreter.close)
        return interpreter

    def cat(self):
        with Image.open(pathlib.Path(SHARED, "images", "cat.bmp")) as image:
            return np.asarray(image.convert("RGB").resize((224, 224)))

    def test_recognizes_a_cat(self):
        for model, xnnpack, least in ((self.int8, True, 0.5), (self.int8, False, 0.5), (self.uint8, True, 0.5), (self.uint8, False, 0.5)):
            with self.subTest(model=model, xnnpack=xnnpack):
                interpreter = self.open(model, xnnpack=xnnpack)
                self.assertEqual(interpreter.input.shape, (1, 224, 224, 3))
                scores = interpreter.invoke(self.cat()).ravel()
                self.assertEqual(int(scores.argmax()), EGYPTIAN_CAT)
                probability = interpreter.output.scale * (int(scores.max()) - interpreter.output.zero_point)
                self.assertGreater(probability, least)

    def test_refuses_what_is_no_model(self):
        with self.assertRaisesRegex(ValueError, "no TensorFlow Lite model"):
            self.open("imagenet_labels.txt")

    def test_refuses_an_input_of_another_size_or_type(self):
        interpreter = self.open(self.int8)
        for wrong in (np.zeros((1, 128, 128, 3), np.uint8), np.zeros((1, 224, 224, 3), np.float32)):
            with self.subTest(shape=wrong.shape, dtype=wrong.dtype), self.assertRaises(ValueError):
                interpreter.invoke(wrong)

    def test_closes_twice(self):
        interpreter = self.open(self.int8, xnnpack=True)
        interpreter.close()
        interpreter.close()


if __name__ == "__main__":
    unittest.main()
