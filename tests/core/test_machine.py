"""Why a GPU is not used: each cause by a stand-in, and what helps is said."""
import pytest

from tf2gan.core import machine


class Driver:
    def __init__(self, code):
        self.code = code

    def cuInit(self, flags):
        assert flags == 0
        return self.code


def absent(name):
    raise OSError(f"{name}: cannot open shared object file")


def why(code=0, built=True, load=None, system="linux", environment=(), installed=()):
    return machine.why_no_gpu(built, load or (lambda name: Driver(code)), system, dict(environment),
                              lambda name: "1" if name in installed else None)


@pytest.mark.parametrize("given, said", [
    ({"system": "darwin"}, "CPU of a Mac"), ({"system": "win32"}, "WSL2"),
    ({"environment": {"CUDA_VISIBLE_DEVICES": ""}}, "hides all GPUs"),
    ({"environment": {"CUDA_VISIBLE_DEVICES": "-1"}}, "hides all GPUs"),
    ({"built": False}, "without CUDA"), ({"load": absent}, "libcuda.so.1 cannot be loaded"),
    ({"code": 100}, "it finds no GPU"), ({"code": 999}, "cuInit fails with code 999"),
    ({"installed": ("nvidia-cublas-cu12",)}, "(nvidia-cudnn-cu12, nvidia-cuda-runtime-cu12): pip install 'tf2gan[cuda]'"),
    ({"installed": machine._LIBRARIES}, "too old"),
    ({"environment": {"CUDA_VISIBLE_DEVICES": "0"}, "load": absent}, "no NVIDIA driver"),
])
def test_why_no_gpu(given, said):
    assert said in why(**given)


def test_this_machine():
    found = machine.describe()
    assert found["cores"] >= 1 and found["ram_bytes"] > 2 ** 28 and found["cpu"] and found["system"]
    assert machine.free_disk("/") > 0 and machine.package("no-such-package") is None
    assert machine.free_memory() is None or 0 < machine.free_memory() <= found["ram_bytes"]
    assert machine.free_disk("runs/not/there/yet") > 0
