from __future__ import annotations

import mmap
import os
import subprocess
import sys

import pytest

from medassist.bench.process_memory import process_memory

STATUS = """Name:\tpython
VmPeak:\t  900000 kB
VmHWM:\t  500000 kB
VmRSS:\t  400000 kB
RssAnon:\t  100000 kB
RssFile:\t  290000 kB
RssShmem:\t   10000 kB
Threads:\t3
"""


def test_private_and_mapped_memory_are_told_apart(tmp_path):
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/status").write_text(STATUS)
    found = process_memory(7, tmp_path)
    assert found is not None
    kb = 1024
    assert found.resident == 400_000 * kb
    assert found.peak == 500_000 * kb
    assert found.private == 100_000 * kb
    assert found.mapped == 290_000 * kb


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells all of it")
def test_what_is_mapped_from_a_file_is_no_private_memory(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(os.urandom(8 << 20))
    before = process_memory(os.getpid())
    with file.open("rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        total = sum(mapped[at] for at in range(0, len(mapped), mmap.PAGESIZE))
        after = process_memory(os.getpid())
    assert total and before is not None and after is not None
    assert None not in (before.mapped, after.mapped, before.private, after.private)
    assert (after.mapped or 0) - (before.mapped or 0) > 7 << 20
    assert (after.private or 0) - (before.private or 0) < 4 << 20


def test_of_a_process_that_is_gone_nothing_is_told():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert process_memory(gone.pid) is None
