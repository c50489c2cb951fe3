# SPDX-License-Identifier: MIT
"""A service manager that stores descriptors for the next process of the service, like systemd."""
import array
import os
import socket
import threading

from daemon import Daemon
from processes import PATIENCE, free_port

FDS_AT_MOST = 253


class Manager:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0dotstub-manager-{os.getpid()}-{free_port()}")
        self.stored, self.heard = [], []  # (name, descriptor), lines
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            said, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(FDS_AT_MOST * 4), socket.MSG_CMSG_CLOEXEC)
            if said == b"END":
                return
            fds = array.array("i")
            for _, kind, data in ancillary:
                assert kind == socket.SCM_RIGHTS
                fds.frombytes(data)
            with self.changed:
                self.take(dict(line.split("=", 1) for line in said.decode().split("\n")), fds)
                self.heard += said.decode().split("\n")
                self.changed.notify_all()

    def take(self, said, fds):
        if said.get("FDSTORE") == "1":
            assert said["FDPOLL"] == "0", "systemd would drop the socket after an error"
            for fd in fds:
                self.keep(said["FDNAME"], fd)
            return
        if said.get("FDSTOREREMOVE") == "1":
            for name, fd in [one for one in self.stored if one[0] == said["FDNAME"]]:
                os.close(fd)
                self.stored.remove((name, fd))
        for fd in fds:  # BARRIER
            os.close(fd)

    def keep(self, name, fd):
        if any(os.path.sameopenfile(fd, other) for _, other in self.stored):
            os.close(fd)
        else:
            self.stored.append((name, fd))

    def names(self):
        with self.changed:
            return [name for name, _ in self.stored]

    def wait_heard(self, line, times=1):
        with self.changed:
            assert self.changed.wait_for(lambda: self.heard.count(line) >= times, PATIENCE), self.heard

    def variables(self):
        return {"NOTIFY_SOCKET": "@" + self.socket.getsockname()[1:].decode(), "LISTEN_FDS": str(len(self.stored)),
                "LISTEN_FDNAMES": ":".join(name for name, _ in self.stored)}

    def options(self):
        """Options for a child that inherits the stored descriptors."""
        copies = [fd for _, fd in self.stored]

        def hand_over():
            high = [os.dup2(os.dup(fd), 500 + place) for place, fd in enumerate(copies)]
            for place, fd in enumerate(high):
                os.dup2(fd, 3 + place)
            os.closerange(3 + len(copies), 500 + len(copies) + 1)
        return {"preexec_fn": hand_over, "close_fds": False}

    def close(self):
        self.socket.sendto(b"END", self.socket.getsockname())
        self.reader.join()
        for _, fd in self.stored:
            os.close(fd)
        self.socket.close()


class Service:
    """A service whose daemon the manager can restart."""

    def __init__(self, make_daemon, manager, *servers, **settings):
        self.make, self.manager, self.servers, self.settings = make_daemon, manager, servers, settings
        self.starts = 0
        self.daemon = None
        self.start()

    def start(self, wait=True, **changes):
        self.settings = {**self.settings, **changes}
        self.starts += 1
        self.daemon = self.make(*self.servers, variables=self.manager.variables(), options=self.manager.options(), wait=wait,
                                exec_as=["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"], **self.settings)
        self.settings["port"] = self.daemon.port
        return self.daemon

    def restart(self, **changes):
        self.daemon.stop()
        return self.start(**changes)
