"""What ByzFL, the library of the authors of nearest-neighbor mixing, makes of the same numbers as package learn/fedavg:

    pip install byzfl==0.0.11
    python3 tools/goldens/byzfl.py > learn/fedavg/testdata/byzfl.golden.json

Each case has updates of nodes, of which "far" are not mixed into each and as many are trimmed at each end, and the result."""

import json
import sys

import byzfl
import numpy as np

CLASSES, FEATURES = 3, 4


def main():
    random = np.random.default_rng(19)
    size = CLASSES * (FEATURES + 1)
    golden = {"classes": CLASSES, "features": FEATURES, "cases": []}
    for name, nodes, far in [("five", 5, 1), ("ten", 10, 1), ("ten, two far", 10, 2), ("forty", 40, 8)]:
        for kind in ["alike", "apart", "poisoned"]:
            updates = random.normal(size=(nodes, size))
            if kind == "apart":  # each node moves values of its own
                updates *= 10.0 * (random.random(size=(nodes, size)) < 0.2)
            if kind == "poisoned":
                updates[:far] *= -1000
            mixed = byzfl.NNM(far)(updates)
            golden["cases"].append({"name": name + ", " + kind, "far": far, "updates": updates.tolist(),
                                    "values": byzfl.TrMean(far)(mixed).tolist()})
    json.dump(golden, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
