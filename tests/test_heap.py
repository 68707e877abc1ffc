import gc
import platform
import resource
import subprocess
import sys
from threading import Event

import pytest

from fedmed.heap import growing, importing

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

FROZEN = """
import gc
from fedmed.heap import import_for_good

print(gc.get_freeze_count())
import_for_good("fedmed.errors")
print(gc.get_freeze_count())
kept = [[] for _ in range(1000)]
import_for_good("fedmed.errors")
print(gc.get_freeze_count())
"""


def faults(keep: bool) -> int:
    command = [sys.executable, "-c", FAULTS.format(keep=keep)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_memory_is_used_again_instead_of_taken_anew() -> None:
    pages = (8 * (4 << 20) + 2 * (16 << 20)) // resource.getpagesize()
    assert faults(keep=True) < pages < faults(keep=False)


def test_no_garbage_is_looked_for_while_a_process_grows_and_as_before_afterwards() -> None:
    assert gc.isenabled()
    looks = []
    with pytest.raises(KeyError), growing():
        {}[looks.append(gc.isenabled())]
    assert looks == [False]
    assert gc.isenabled()
    gc.disable()
    try:
        with growing():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_an_import_made_is_frozen_once_and_nothing_that_came_later() -> None:
    out = subprocess.run(
        [sys.executable, "-c", FROZEN], check=True, capture_output=True, text=True, encoding="utf-8"
    ).stdout
    before, after, again = map(int, out.split())
    assert before < after == again


def test_modules_are_imported_beside_a_block_and_are_there_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, seen = Event(), []
    monkeypatch.setattr("fedmed.heap.import_module", lambda name: (begun.wait(10), seen.append(name)))
    with importing("one", "two"):
        assert seen == []
        begun.set()
    assert seen == ["one", "two"]
