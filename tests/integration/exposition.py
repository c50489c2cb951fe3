# SPDX-License-Identifier: MIT
"""A strict parser of Prometheus' text format, version 0.0.4; and promtool, if it is installed."""
import math
import re
import shutil
import subprocess

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = rf'{NAME}="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(\{{{LABEL}(?:,{LABEL})*\}})? (-?[0-9]+(?:\.[0-9]+)?)\Z")
LE = re.compile(r'(?:,le|le)="([^"]*)"')
PROMTOOL = shutil.which("promtool")


def parse(text):
    """{family: {labels: value}} of a text that must follow every rule of the format; of a histogram {labels: (buckets, sum, count)}."""
    assert text.endswith("\n")
    types, samples, current = {}, {}, None
    for line in text[:-1].split("\n"):
        if found := re.match(rf"# HELP ({NAME}) (.+)\Z", line):
            current = found[1]
            assert current not in types, f"{current} is duplicated"
            types[current] = None
        elif found := re.match(rf"# TYPE ({NAME}) (counter|gauge|histogram)\Z", line):
            assert found[1] == current and types[current] is None
            types[current] = found[2]
        else:
            found = SAMPLE.match(line)
            assert found and types[current], f"a bad line: {line}"
            endings = ("_bucket", "_sum", "_count") if types[current] == "histogram" else ("",)
            assert found[1] in [current + ending for ending in endings], f"a sample of another family: {line}"
            key = (found[1][len(current):], found[2] or "")
            assert key not in samples.setdefault(current, {}), f"a duplicate sample: {line}"
            samples[current][key] = float(found[3])
    for name, type in types.items():
        assert name.endswith("_total") == (type == "counter"), name
    return {name: histograms(found) if types[name] == "histogram" else {labels: value for (_, labels), value in found.items()}
            for name, found in samples.items()}


def histograms(samples):
    out = {}
    for (ending, labels), value in samples.items():
        if ending != "_bucket":
            continue
        bound = LE.search(labels)[1]
        rest = LE.sub("", labels).replace("{}", "")
        out.setdefault(rest, []).append((math.inf if bound == "+Inf" else float(bound), value))
    for labels, buckets in out.items():
        bounds, counts = [bound for bound, _ in buckets], [count for _, count in buckets]
        assert bounds == sorted(set(bounds)) and bounds[-1] == math.inf and counts == sorted(counts), buckets
        total, count = samples.pop(("_sum", labels)), samples.pop(("_count", labels))
        assert count == counts[-1] and (total > 0 or count == counts[0]), f"{labels} {buckets} {total}"
        out[labels] = (dict(buckets), total, count)
    assert all(ending == "_bucket" for ending, _ in samples), "a sum or count without buckets"
    return out


def names(text):
    """The names that PromQL queries can use."""
    found = {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE ")}
    return {name + ending for name, type in found.items()
            for ending in (("_bucket", "_sum", "_count") if type == "histogram" else ("",))}


def promtool(*arguments, input=None):
    """The errors that promtool reports; "" if there are none, or no promtool."""
    if not PROMTOOL:
        return ""
    done = subprocess.run([PROMTOOL, *map(str, arguments)], input=input, capture_output=True, text=True, timeout=60)
    return "" if done.returncode == 0 and not done.stderr else done.stdout + done.stderr
