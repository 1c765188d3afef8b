"""Runs one command and reports its exit code, wall time, CPU and peak memory.

The peak memory of a command includes that of the process which starts it, so
this is a process of its own, started with `-I -S`, as small as Python gets. Less
than its own 10 MB can't be measured.
"""

import os
import sys
import time

report, *command = sys.argv[1:]
began = time.perf_counter()
child = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - began
with open(report, "w") as file:
    file.write(f"{os.waitstatus_to_exitcode(status)} {wall} "
               f"{usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}")
