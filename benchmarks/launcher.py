"""Starts programs and tells what they took: a small process of its own, started by ``measure``.

A program inherits the peak memory of whoever starts it, so that one must be smaller than all that
is measured. A line ``[command, cwd, stdin, stdout]`` in, ``[wall, cpu, peak, status]`` out.
"""

import json
import os
import sys
import time

for line in sys.stdin:
    command, cwd, given, out = json.loads(line)
    start = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.chdir(cwd)
        os.dup2(os.open(given, os.O_RDONLY), 0)
        os.dup2(os.open(out, os.O_WRONLY | os.O_TRUNC), 1)
        os.dup2(1, 2)
        os.execvp(command[0], command)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024
    cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit
    print(json.dumps([wall, cpu, peak, os.waitstatus_to_exitcode(status)]), flush=True)
