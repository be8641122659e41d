"""What a run computes on, and how it uses the processor."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.device import cpu_threads, find_device, keep_freed_memory

FAULTS = """
import resource, sys, torch
from cgl_ignite.pipeline.device import keep_freed_memory
kept = sys.argv[1] == "kept" and keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(2):
    torch.empty(2**24).fill_(1.0)
before = faults()
for _ in range(10):
    torch.empty(2**24).fill_(1.0)
print(faults() - before, kept)
"""


def faults(case: str) -> tuple[int, bool]:
    """Count the pages that the kernel clears for ten blocks of 64 MiB, taken one after the other.

    Kept memory is cleared once or twice, not ten times: a block moves when something small took its place.
    """
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", FAULTS, case]
    done = subprocess.run(command, env=plain, capture_output=True, text=True, check=True)
    count, kept = done.stdout.split()
    return int(count), kept == "True"


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_freed_memory_is_used_again() -> None:
    few, kept = faults("kept")
    if not kept:
        pytest.skip("this C library has no mallopt")
    many, _ = faults("not kept")
    assert few < many / 4


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_a_users_own_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")
    assert keep_freed_memory() is False


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False


def test_threads_are_lent() -> None:
    before = torch.get_num_threads()
    with cpu_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        with cpu_threads(None):
            assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_cuda_that_is_not_there() -> None:
    if torch.cuda.is_available():
        pytest.skip("CUDA is there")
    assert find_device("auto") == find_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="PyTorch finds no CUDA device"):
        find_device("cuda")
