"""What Google's dp-accounting computes for the same rounds as package learn/privacy:

    pip install dp-accounting==0.6.0
    python3 tools/goldens/privacy.py > learn/privacy/testdata/accounting.golden.json

"epsilon" is by the same integer orders. "tight" is by its accountant of privacy loss distributions, which needs no
orders: no accountant may be below it."""

import json
import sys

import dp_accounting
from dp_accounting import pld, rdp

ORDERS = list(range(2, 513))


def main():
    golden = []
    for multiplier, rate, rounds, delta in [
            (1, 1, 1, 1e-5), (1, 1, 10, 1e-5), (0.5, 1, 20, 1e-3), (4, 1, 100, 1e-5), (20, 1, 30, 1e-6),
            (1, 0.1, 100, 1e-5), (1.1, 256 / 60000, 14062, 1e-5), (0.7, 0.3, 50, 1e-4), (3, 0.5, 200, 1e-5), (8, 0.01, 1000, 1e-6)]:
        event = dp_accounting.GaussianDpEvent(multiplier)
        if rate < 1:
            event = dp_accounting.PoissonSampledDpEvent(rate, event)
        accountants = rdp.RdpAccountant(ORDERS), pld.PLDAccountant()
        for accountant in accountants:
            accountant.compose(event, rounds)
        golden.append({"multiplier": multiplier, "rate": rate, "rounds": rounds, "delta": delta,
                       "epsilon": float(accountants[0].get_epsilon(delta)), "tight": float(accountants[1].get_epsilon(delta))})
    json.dump(golden, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
