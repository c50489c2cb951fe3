# SPDX-License-Identifier: MIT
"""dotstub started for a test: Daemon(server.upstream(), ...) returns when it is ready."""
import json
import os
import pathlib
import re
import signal
import subprocess

from clients import Load, TcpClient, UdpClient
from processes import PATIENCE, Process, free_port

BINARY = pathlib.Path(os.environ.get("TEST_BINARY", pathlib.Path(__file__).parents[2] / "build" / "dotstub"))
FLAVOUR = os.environ.get("TEST_FLAVOUR", "plain")
USER = "nobody"  # the user of the daemon; every system has it
# Factor for limits of time and memory, since sanitizers make the daemon slower.
SLACK = {"plain": 1, "address": 3, "thread": 8}[FLAVOUR]
PREFIX = ["setarch", "-R"] if FLAVOUR == "thread" else []
# A mount namespace whose /run is empty: the default control socket there must not be found by tests that run at the same time.
EMPTY_RUN = ["unshare", "--mount", "sh", "-ec", 'mount -t tmpfs -o mode=755 none /run; exec "$@"', "sh"]
REPORT = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|[Aa]ssertion .*failed")


def environment(**variables):
    """The environment of a daemon: without our own settings, and with sanitizers that report by the exit status."""
    inherited = {name: value for name, value in os.environ.items()
            if not name.startswith(("DOTSTUB_", "JOURNAL_", "LISTEN_", "NOTIFY_"))}
    return {**inherited, "ASAN_OPTIONS": "exitcode=99:detect_leaks=1:detect_stack_use_after_return=1",
            "UBSAN_OPTIONS": "print_stacktrace=1", "TSAN_OPTIONS": "exitcode=99:halt_on_error=0", **variables}


def run(*arguments, timeout=PATIENCE, prefix=(), **variables):
    """Runs the command to its end."""
    return subprocess.run([*PREFIX, *prefix, str(BINARY), *map(str, arguments)], env=environment(**variables),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)


def write_config(path, config):
    """JSON is YAML."""
    path.write_text(config if isinstance(config, str) else json.dumps(config, indent=2) + "\n")
    return path


def merged(base, changes):
    out = dict(base)
    for key, value in changes.items():
        out[key] = merged(out.get(key, {}), value) if isinstance(value, dict) else value
    return out


class Daemon(Process):
    """The daemon under test, on 127.0.0.1 and ::1 at a free port."""

    def __init__(self, directory, upstreams, *, ca_file=None, addresses=("127.0.0.1", "::1"), port=None, namespace=None,
                 wait=True, file=True, arguments=(), variables=None, options=None, exec_as=(), **config):
        """`config`: sections merged over the default ones of the tests. `file` False: started without a file. `exec_as`: prefix of the
        command."""
        self.namespace, self.addresses = namespace, addresses
        self.port = port or free_port(*addresses)
        upstreams = upstreams if isinstance(upstreams, list) else [upstreams]
        base = {"listen": [f"{address}@{self.port}" for address in addresses], "upstreams": upstreams,
                "control": {"socket": str(directory / f"control{self.port}.sock")}, "sandbox": "kill"}
        if ca_file:
            base["tls"] = {"ca-file": str(ca_file)}
        self.config = merged(base, config)
        number = len(list(directory.glob("dotstub*.yaml")))
        self.config_file = write_config(directory / f"dotstub{number}.yaml", self.config)
        self.file = ["-c", str(self.config_file)] if file else []
        self.prefix = namespace.prefix if namespace else []
        default_socket = [] if file or "-c" in arguments else EMPTY_RUN
        super().__init__([*exec_as, *PREFIX, *self.prefix, *default_socket, str(BINARY), "--user", USER, *self.file, *arguments],
                         env=environment(**(variables or {})), **(options or {}))
        if wait:
            self.wait_ready()

    def wait_ready(self):
        self.wait_line(r"daemon: ready")
        return self

    # Queries.

    def udp(self, address="127.0.0.1", **options):
        return UdpClient(address, self.port, **self.in_namespace(options))

    def tcp(self, address="127.0.0.1", **options):
        return TcpClient(address, self.port, **self.in_namespace(options))

    def in_namespace(self, options):
        if self.namespace:
            options.setdefault("make", self.namespace.socket)
        return options

    def ask(self, name, rdtype="A", *, tcp=False, address="127.0.0.1", **parts):
        """Sends one query from a new client; returns the response."""
        with (self.tcp if tcp else self.udp)(address) as client:
            return client.ask(name, rdtype, **parts)

    def dig(self, *arguments, tool="dig"):
        """The standard output of dig or kdig, without retry and fallback."""
        once = ["+tries=1", "+timeout=10"] if tool == "dig" else ["+retry=0", "+timeout=10"]
        done = subprocess.run([*self.prefix, tool, "@127.0.0.1", "-p", str(self.port), *once, *map(str, arguments)],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{tool} {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def load(self, *, address="127.0.0.1", **options):
        return Load(address, self.port, prefix=self.prefix, **options)

    # Ending.

    def stop(self, timeout=PATIENCE):
        """Sends SIGTERM; the daemon must exit with status 0 and without a report of a sanitizer."""
        status = self.end(timeout)
        self.check_log()
        assert status == 0, f"exit status {status}:\n" + "\n".join(self.log()[-40:])

    def check_log(self):
        found = [number for number, line in enumerate(self.log()) if REPORT.search(line)]
        assert not found, "\n".join(self.log()[found[0]:found[0] + 60])

    def hang_up(self):
        self.signal(signal.SIGHUP)
