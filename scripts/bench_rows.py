"""What scripts/bench.py measures with and makes of it: rounds, rows, figure, comparison."""

import time

import numpy as np

from manybody.numerics.steppers import STEPPERS

# Everything measured in this run, in order.
ROWS: list[dict] = []


def rounds_of(functions, rounds, at_least=0.02):
    """Seconds a call, {name: (rounds,) array}; the functions take turns within a round."""
    seconds = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            calls, start = 0, time.perf_counter()
            while True:
                function()
                calls += 1
                elapsed = time.perf_counter() - start
                if elapsed >= at_least:
                    break
            seconds[name].append(elapsed / calls)
    return {name: np.array(values) for name, values in seconds.items()}


def record(section, what, values, unit, better, **facts):
    """Keep a measured figure (one or an array of rounds) and return its median as text."""
    values = np.atleast_1d(values)
    row = {
        "section": section,
        "what": what,
        "unit": unit,
        "better": better,
        "value": float(np.median(values)),
        "low": float(values.min()),
        "high": float(values.max()),
        **facts,
    }
    ROWS.append(row)
    spread = f" [{row['low']:.4g}, {row['high']:.4g}]" if len(values) > 1 else ""
    return f"{row['value']:.4g}{spread} {unit}".rstrip()


def say(text=""):
    """Print at once: a benchmark is watched."""
    print(text, flush=True)


def draw(path):
    """Four panels: rates, stacks, work-precision, peers."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(10, 7.5), layout="constrained")
    rates, batches, work, peers = axes.ravel()
    colours = {False: "C0", True: "C1"}
    fractions = [
        row for row in ROWS if row["section"] == "applications" and "fraction" in row["what"]
    ]
    for real in (False, True):
        for stacked in (False, True):
            own = [r for r in fractions if r["real"] is real and (r["stack"] > 1) is stacked]
            label = f"{'real' if real else 'complex'} H, {'stack' if stacked else 'one sample'}"
            rates.plot(
                [r["n"] for r in own],
                [r["value"] for r in own],
                "o--" if stacked else "s-",
                color=colours[real],
                label=label,
            )
        sizes = sorted({r["n"] for r in ROWS if r["section"] == "stacks"})
        for index, n in enumerate(sizes):
            own = [
                r for r in ROWS if r["section"] == "stacks" and (r["n"], r["real"]) == (n, real)
            ]
            batches.loglog(
                [r["stack"] for r in own],
                [r["value"] for r in own],
                "s-" if real else "o--",
                color=f"C{index}",
                label=f"N = {n}" if real else None,
            )
    rates.set(xscale="log", ylim=(0, 1.05), xlabel="sites N")
    rates.set(ylabel="fraction of the product rate", title="One application, X + X† included")
    batches.set(
        xlabel="samples in a stack",
        ylabel="µs per application and sample",
        title="Stacks (squares real, circles complex)",
    )
    points = [row for row in ROWS if row["section"] == "precision"]
    cases = list(dict.fromkeys(row["case"] for row in points))
    case = cases[min(1, len(cases) - 1)] if cases else ""
    for index, name in enumerate(STEPPERS):
        own = [row for row in points if row["stepper"] == name and row["case"] == case]
        if own:
            work.loglog(
                [r["value"] for r in own],
                [max(r["error"], 1e-15) for r in own],
                "o-",
                color=f"C{index}",
                label=name,
            )
    work.set(xlabel="seconds", ylabel="true trace-norm error", title=f"Work and precision, {case}")
    others = [row for row in ROWS if row["section"] == "peers"]
    peers.barh(
        [row["what"].replace(" over ours, ", "\n") for row in others],
        [row["value"] for row in others],
    )
    peers.set(xscale="log", xlim=(1.0, None), xlabel="times as long as here", title="Others")
    peers.tick_params(axis="y", labelsize=8)
    found = {row["section"] for row in ROWS}
    panels = {"applications": rates, "stacks": batches, "precision": work, "peers": peers}
    for section, axis in panels.items():
        axis.set_visible(section in found)
        if section in found and section != "peers":
            axis.legend(fontsize=8)
    figure.savefig(path, dpi=150)


def compare_with(path, rows):
    """Old and new figures side by side; ratios above 1 are improvements."""
    old = {(row["section"], row["what"]): row for row in rows}
    say(f"\nagainst {path}: improvement (above 1 is better; both runs' spreads in brackets)")
    for row in ROWS:
        before = old.get((row["section"], row["what"]))
        if before is None or not row["value"] or not before["value"]:
            continue
        gain = row["value"] / before["value"]
        gain = gain if row["better"] == "higher" else 1.0 / gain
        apart = row["low"] > before["high"] or row["high"] < before["low"]
        say(
            f"  {gain:6.2f}{'  ' if apart else ' ~'} {row['what']}: {before['value']:.4g} "
            f"[{before['low']:.4g}, {before['high']:.4g}] -> {row['value']:.4g} "
            f"[{row['low']:.4g}, {row['high']:.4g}] {row['unit']}"
        )
    say("  ~: the spreads overlap")
