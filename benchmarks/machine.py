"""Describes the machine that measures."""
import importlib.metadata
import os
import pathlib
import platform
import re

from benchmarks import process
from tf2gan.core.versions import versions


def describe(torch_python=None) -> dict:
    """Processor, cores, memory, versions, and the load of the machine before the benchmark."""
    return {"cpu": _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
            "features": _features(), "cores": len(os.sched_getaffinity(0)),
            "ram_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "system": platform.platform(),
            "load_before": os.getloadavg()[0], "versions": {**versions(), **_addons(),
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


def _field(file, name):
    path = pathlib.Path(file)
    found = re.search(rf"^{name}\s*: *(.*)$", path.read_text(), re.MULTILINE) if path.exists() else None
    return found and found.group(1).strip()


def _features():
    flags = (_field("/proc/cpuinfo", "flags") or "").split()
    return [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]


def _addons():
    try:
        return {"tensorflow-addons": importlib.metadata.version("tensorflow-addons")}
    except importlib.metadata.PackageNotFoundError:
        return {}
