"""Describes the machine that measures."""
import os

from benchmarks import process
from tf2gan.core import machine
from tf2gan.core.versions import versions


def describe(torch_python=None) -> dict:
    """Processor, cores, memory, versions, and the load of the machine before the benchmark."""
    addons = machine.package("tensorflow-addons")
    return {**machine.describe(), "load_before": os.getloadavg()[0],
            "versions": {**versions(), **({"tensorflow-addons": addons} if addons else {}),
                         "torch": process.torch_version(torch_python)}}


def text(machine) -> str:
    """The result of `describe` as text, with a warning if other programs use the machine."""
    versions = machine["versions"]
    lines = [f"machine: {machine['cpu']}, {machine['cores']} cores, {machine['ram_bytes'] / 2 ** 30:.0f} GB"
             + (f", {' '.join(machine['features'])}" if machine["features"] else ""),
             "software: " + ", ".join(f"{name} {version}" for name, version in versions.items() if version)]
    if machine["load_before"] > 0.5:
        lines.append(f"CAUTION: the machine is busy with other work (load {machine['load_before']:.1f} on "
                     f"{machine['cores']} cores): times are too long, and ratios not to be trusted")
    return "\n".join(lines)
