import platform
import resource
import subprocess
import sys

import pytest

FAULTS = """
import resource
import torch
from fedmed.heap import keep_freed_memory

if {keep}:
    keep_freed_memory()

def work():
    a = [torch.ones(1 << 20) for _ in range(8)]
    b = [torch.ones(1 << 22) for _ in range(2)]

work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep: bool) -> int:
    command = [sys.executable, "-c", FAULTS.format(keep=keep)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_memory_is_used_again_instead_of_taken_anew() -> None:
    pages = (8 * (4 << 20) + 2 * (16 << 20)) // resource.getpagesize()
    assert faults(keep=True) < pages < faults(keep=False)
