# SPDX-License-Identifier: MIT
"""The time since the boot, as the programs under test see it."""
import ctypes
import os
import time

UNSYNCHRONISED, TIME_NAMESPACE = 5, 0x80
DAY = 86400


def leave_the_boot():
    """Within ten minutes of the boot dotstub does not trust a clock that the kernel calls unsynchronised. Where this is so, processes started
    from now on are in a time namespace in which the machine has been up for a day."""
    libc = ctypes.CDLL(None, use_errno=True)
    if time.clock_gettime(time.CLOCK_BOOTTIME) > 620 or libc.adjtimex(ctypes.create_string_buffer(256)) != UNSYNCHRONISED:
        return
    if libc.unshare(TIME_NAMESPACE) < 0:
        raise OSError(ctypes.get_errno(), "no time namespace can be made; repeat the tests ten minutes after the boot")
    with open("/proc/self/timens_offsets", "w", encoding="ascii") as offsets:
        offsets.write(f"monotonic {DAY} 0\nboottime {DAY} 0\n")
