"""From measurements to tables."""
import statistics
import subprocess

from subjects import OTHER_CORE, SUBJECT_CORE, TOP


def median(found, key):
    values = [one[key] for one in found if key in one]
    return statistics.median(values) if values else None


def spread(found, key):
    """Half the distance from the lowest to the highest, as a share of the median."""
    values = [one[key] for one in found]
    middle = statistics.median(values)
    return (max(values) - min(values)) / 2 / middle if middle else 0


def figure(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 20 else f"{value:.2f}"


DETAILS = [("p50", "p50"), ("p99", "p99"), ("p999", "p99.9"), ("lost", "lost"), ("asked", "asked"),
           ("per_record", "a record"), ("handshakes", "handshakes"), ("resumed", "resumed"), ("padded", "padded"),
           ("kept", "kept")]


def details(found):
    return ", ".join(f"{label} {figure(median(found, key))}" for key, label in DETAILS if median(found, key) is not None)


def row_in_short(row, found):
    lines = [f"== {row.name}: {row.title}" + (f" ({row.target})" if row.target else "")]
    base = median(found[row.floor], row.value) if found.get(row.floor) else None
    for name, measured in found.items():
        value = median(measured, row.value)
        ratio = f"{value / base:6.3f} x floor" if base and name != row.floor else " " * 14
        lines.append(f"{name:12} {figure(value):>7} {row.unit} +-{100 * spread(measured, row.value):.0f} %  {ratio}  "
                     f"{details(measured)}")
    return "\n".join(lines)


def document(results, chosen, place, repetitions):
    return "\n\n".join(row_in_short(row, found) for row, found in results)
