"""The machine that runs this: processor, memory, and why a GPU is not used."""
import ctypes
import importlib.metadata
import os
import pathlib
import platform
import re
import shutil
import sys

_MARKED = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # instructions that convolutions are much faster with
_DRIVER = "libcuda.so.1"  # of NVIDIA's driver
_NO_DEVICE = 100  # what cuInit returns for a driver without a GPU
_LIBRARIES = ("nvidia-cudnn-cu12", "nvidia-cublas-cu12", "nvidia-cuda-runtime-cu12")  # of tensorflow[and-cuda]


def describe() -> dict:
    """{"cpu", "features", "cores", "ram_bytes", "system"}, for people and for JSON."""
    flags = (_field("/proc/cpuinfo", "flags") or "").split()
    return {"cpu": _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
            "features": [name for name in _MARKED if name in flags], "cores": cores(),
            "ram_bytes": _pages("SC_PHYS_PAGES"), "system": platform.platform()}


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory():
    """Bytes of memory that are free or can be freed; None where the system does not say."""
    found = _field("/proc/meminfo", "MemAvailable")
    return int(found.split()[0]) * 1024 if found else None


def free_disk(path) -> int:
    """Bytes that are free where `path` is, or would be."""
    place = pathlib.Path(path).absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def package(name):
    """The version of an installed package, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def why_no_gpu(built_with_cuda, load=ctypes.CDLL, system=sys.platform, environment=os.environ,
               installed=package) -> str:
    """What keeps TensorFlow from a GPU, and what helps, in a sentence or two.

    Args:
        built_with_cuda: whether this TensorFlow is built for GPUs: `tf.test.is_built_with_cuda()`.
        load: loads a shared library by name, or raises OSError.
        system, environment: as of `sys` and `os`.
        installed: the version of a package, or None.
    """
    if system == "darwin":
        return "tf2gan trains on the CPU of a Mac. Apple's tensorflow-metal is not tried with it."
    if system == "win32":
        return "TensorFlow uses no GPU on Windows itself. Install tf2gan in WSL2."
    hidden = environment.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1"):
        return f"CUDA_VISIBLE_DEVICES is {hidden!r}, which hides all GPUs. Unset it."
    if not built_with_cuda:
        return ("This TensorFlow is built without CUDA. Install tensorflow, not tensorflow-cpu: "
                "pip install 'tf2gan[cuda]'.")
    try:
        driver = load(_DRIVER)
    except OSError:
        return (f"There is no NVIDIA driver: {_DRIVER} cannot be loaded. Install the driver, or use a machine with a "
                "GPU.")
    code = driver.cuInit(0)
    if code:
        told = "it finds no GPU" if code == _NO_DEVICE else f"cuInit fails with code {code}"
        return (f"The NVIDIA driver is there, but {told}. `nvidia-smi` tells more; after an update of the driver, "
                "restart.")
    missing = [name for name in _LIBRARIES if installed(name) is None]
    if missing:
        return (f"The NVIDIA driver sees a GPU, but CUDA's libraries are not installed ({', '.join(missing)}): "
                "pip install 'tf2gan[cuda]'.")
    return ("The NVIDIA driver and CUDA's libraries are there, and TensorFlow still sees no GPU: is the driver too old "
            "for them? TF_CPP_MIN_LOG_LEVEL=0 shows what TensorFlow says.")


def _field(file, name):
    path = pathlib.Path(file)
    found = re.search(rf"^{name}\s*: *(.*)$", path.read_text(), re.MULTILINE) if path.exists() else None
    return found and found.group(1).strip()


def _pages(name):
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf(name) if hasattr(os, "sysconf") else 0
