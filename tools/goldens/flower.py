"""What Flower's strategies make of the same numbers as package learn/fedavg:

    pip install flwr==1.42 numpy
    python3 tools/goldens/flower.py > learn/fedavg/testdata/flower.golden.json

"aggregate" has parameters of nodes with their numbers of examples, and what FedAvg and FedTrimmedAvg make of them.
"training" has examples of three nodes, and the parameters after several rounds: each node trains by momentum SGD on all
its examples (NumPy, float64), and Flower's FedAvg aggregates."""

import json
import sys

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAvg, FedTrimmedAvg
from flwr.supercore.task_identity import TaskIdentity

CLASSES, FEATURES = 3, 4


def aggregate(strategy, parameters, examples):
    """The aggregate of the nodes' parameters, each one array of float64."""
    replies = []
    for values, count in zip(parameters, examples):
        content = RecordDict({
            "arrays": ArrayRecord({"values": Array(np.asarray(values, dtype=np.float64))}),
            "metrics": MetricRecord({"num-examples": int(count)}),
        })
        replies.append(Message(content, dst_node_id=1, message_type="train"))
    arrays, _ = strategy.aggregate_train(1, replies)
    return arrays["values"].numpy()


def gradient(values, x, y, l2):
    """The gradient of the mean cross-entropy with l2/2 times the squared weights; the biases come last."""
    weights, biases = values[:CLASSES * FEATURES].reshape(CLASSES, FEATURES), values[CLASSES * FEATURES:]
    logits = x @ weights.T + biases
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    p /= len(y)
    return np.concatenate([(p.T @ x + l2 * weights).ravel(), p.sum(axis=0)])


def local(base, x, y, epochs, rate, momentum, l2, proximal):
    values, velocity = base.copy(), np.zeros_like(base)
    for _ in range(epochs):
        velocity = momentum * velocity + gradient(values, x, y, l2) + proximal * (values - base)
        values = values - rate * velocity
    return values


def main():
    TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1  # messages cannot be made without
    random = np.random.default_rng(19)
    size = CLASSES * (FEATURES + 1)
    golden = {"classes": CLASSES, "features": FEATURES, "aggregate": [], "training": []}
    for name, examples in {"equal": [10] * 5, "skewed": [1, 2, 3, 50, 1000], "two": [7, 1], "ten": list(range(1, 11)),
                           "one": [3]}.items():
        parameters = random.normal(size=(len(examples), size))
        case = {"name": name, "examples": examples, "parameters": parameters.tolist(),
                "mean": aggregate(FedAvg(), parameters, examples).tolist()}
        if len(examples) >= 5:
            case["trim"] = 0.2
            case["trimmed_mean"] = aggregate(FedTrimmedAvg(beta=0.2), parameters, examples).tolist()
        golden["aggregate"].append(case)
    # float32, as embeddings are, so that both sides have the same numbers.
    nodes = [(random.normal(size=(n, FEATURES)).astype(np.float32).astype(np.float64), random.integers(0, CLASSES, size=n))
             for n in (4, 9, 25)]
    for name, momentum, l2, proximal in [("fedavg", 0, 0, 0), ("momentum and l2", 0.9, 0.01, 0), ("fedprox", 0.5, 0, 0.3)]:
        values = np.zeros(size)
        for _ in range(5):
            trained = [local(values, x, y, 4, 0.2, momentum, l2, proximal) for x, y in nodes]
            values = aggregate(FedAvg(), trained, [len(y) for _, y in nodes])
        golden["training"].append({
            "name": name, "rounds": 5, "epochs": 4, "rate": 0.2, "momentum": momentum, "l2": l2, "proximal": proximal,
            "values": values.tolist()})
    golden["nodes"] = [{"features": x.tolist(), "classes": y.tolist()} for x, y in nodes]
    json.dump(golden, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
