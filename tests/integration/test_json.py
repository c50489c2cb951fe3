# SPDX-License-Identifier: MIT
"""docs/json.md is the contract of dotstubctl --json: each output is compared with a JSON schema made of its tables."""
import json
import os
import pathlib
import re
import signal

import jsonschema
import pytest

from daemon import PREFIX, environment
from processes import Process
from redisserver import fleet_key
from test_ctl import CTL, call
from test_doctor import Patient
from test_upgrade import make_public, programs, upgrade  # noqa: F401
from test_upstream import ask_truly

pytestmark = pytest.mark.threads
TEXT = (pathlib.Path(__file__).parents[2] / "docs/json.md").read_text()
TYPES = {"text": "string", "integer": "integer", "number": "number", "boolean": "boolean", "null": "null", "list": "array", "object": "object"}


def tables():
    """Member paths and their types, by the titles of the sections."""
    found = {}
    for section in re.split(r"^## ", TEXT, flags=re.M)[1:]:
        title, _, body = section.partition("\n")
        rows = re.findall(r"^\| `([^`]+)` \| ([a-z ]+?) \|", body, re.M)
        assert rows and len(rows) == len({path for path, _ in rows}), title
        for name in title.split(", "):
            found[name] = dict(rows)
    return found


def schema_of(members, prefix=""):
    """The schema of the object whose members have this prefix: each member is required, and there are no others."""
    properties, others = {}, False
    for path, types in members.items():
        name = path[len(prefix):] if path.startswith(prefix) else ""
        if not name or re.search(r"[.\[]", name):
            continue
        schema = {} if types == "any" else {"type": [TYPES[word] for word in types.split(" or ")]}
        if "object" in types:
            schema |= schema_of(members, f"{path}.")
        if "list" in types:
            schema["items"] = {"type": [TYPES[word] for word in members[f"{path}[]"].split(" or ")]}
            if "object" in members[f"{path}[]"]:
                schema["items"] |= schema_of(members, f"{path}[].")
        if name == "*":
            others = schema
        else:
            properties[name] = schema
    return {"properties": properties, "required": list(properties), "additionalProperties": others}


def seen_in(value, at=""):
    """The paths of a value with all that is not null."""
    out = {at} if at and value is not None else set()
    if isinstance(value, dict):
        for name, member in value.items():
            out |= seen_in(member, f"{at}.{name}" if at else name)
    if isinstance(value, list):
        for item in value:
            out |= seen_in(item, f"{at}[]")
    return out


class Contract:
    def __init__(self):
        self.tables, self.seen = tables(), {}

    def check(self, title, text):
        assert not re.search(r"\d\.\d{4,}", re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)), text  # three decimals
        value = json.loads(text)
        schema = {"type": "object", **schema_of(self.tables[title])}
        errors = [f"{'.'.join(map(str, error.path))}: {error.message}" for error in jsonschema.Draft202012Validator(schema).iter_errors(value)]
        assert not errors, errors
        self.seen.setdefault(title, set()).update(seen_in(value))
        return value

    def unseen(self, *titles):
        """Members of the document that no output had."""
        patterns = {path for title in titles for path in self.tables[title] if "*" not in path}
        return patterns - {path for title in titles for path in self.seen.get(title, ())}


@pytest.fixture
def told(make_namespace, make_server, make_daemon, public_path):
    """A daemon on port 53 of a namespace, and a function that runs dotstubctl --json there and checks the output."""
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    config = public_path / "dotstub.yaml"
    daemon = make_daemon(server, namespace=namespace, port=53, views=[{"clients": ["127.0.0.0/8"]}, {"interface": "lan"}],
                         store={"servers": ["127.0.0.1@6379"], "fleet-key-file": fleet_key(public_path / "fleet.key")})
    config.write_text(daemon.config_file.read_text())
    contract = Contract()

    def run(*arguments, title=None, status=0):
        done = namespace.run(CTL, "-c", daemon.config_file, "--json", *arguments, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return contract.check(title or arguments[0], done.stdout)
    run.contract, run.daemon, run.server, run.namespace = contract, daemon, server, namespace
    return run


def contract_of_anchors():
    return {path for path in tables()["dnssec anchors"] if path.startswith("anchors[]")}


def test_commands_that_show(told):
    ask_truly(told.daemon, "a.example")
    told("status")
    told("stats")
    told("config")
    told("config", "--changed")
    told("trace", "a.example")
    told("trace", "localhost")
    told("cache", "a.example")
    told("cache", "never.example")
    told("explain")
    told.server.refuse()
    told.daemon.ask("b.example")
    (record,) = told("explain", "last-failed")["records"]
    assert record["reason"] == record["extended_error"]["text"]
    told("explain", record["id"])
    told("servers")
    told.server.restore()
    assert told.contract.unseen("stats", "config", "trace") == {"cache.expired_s_ago", "replaced_by"}
    assert told.contract.unseen("status", "servers") == {
        "configuration.last_reload", "configuration.last_reload_s_ago", "configuration.mistakes[]", "configuration.at_next_start[]",
        "hosts[]", *(f"hosts[].{name}" for name in ("upstream", "host", "plain", "addresses", "addresses[]", "resolved_s_ago", "next_s",
                                                    "last_error")),
        *(f"dnssec.{path}" for path in contract_of_anchors()),
        "servers[].fallback",  # test_bootstrap.py and test_blocked_networks.py check these
        "store.servers[].latency_ms"}  # test_store.py


def test_slow_queries(make_daemon, make_server, server):
    daemon, contract = make_daemon(server, log={"slow": "20ms"}), Contract()
    with server.lying(greet_after=0.1):
        ask_truly(daemon, "a.example")
    path = daemon.config["control"]["socket"]
    (record,) = contract.check("explain", call("-s", path, "--json", "explain", "last-slow").stdout)["records"]
    assert record["kind"] == "slow" and record["reason"].startswith("the TLS handshake with liar ")
    assert contract.unseen("explain") == {
        "records[].extended_error", "records[].extended_error.code", "records[].extended_error.text", "records[].view"}


def test_commands_that_change(told):
    told("flush")
    told("flush", "a.example")
    told("flush", "--fleet", "a.example", title="flush --fleet", status=1)
    told("log", "debug", "tls")
    told("log", "info")
    told("queries", "yes", "3")
    told("queries", "no")
    told("drain", "1.5")
    assert not told.contract.unseen("flush", "flush --fleet", "log", "drain")


def test_routes(told):
    told("forward", "list", title="forward list")
    told("forward", "add", "a.example", "192.0.2.98", "--plain", "--interface", "lo", title="forward add")
    told("forward", "add", "b.example", "192.0.2.98", "--plain", "--for", "1h", title="forward add")
    told("forward", "list", title="forward list")
    assert [server["run_time"] for server in told("status")["servers"]] == [False, True, True]
    told("forward", "remove", "a.example", title="forward remove")
    assert not told.contract.unseen("forward list", "forward remove")
    assert told.contract.unseen("forward add") == {"replaced[]"}
    told.server.refuse()
    told("portal", "status", title="portal status")
    told("portal", "open", "--server", "192.0.2.98", "--interface", "lo", title="portal open")
    told("portal", "status", title="portal status")
    told("portal", "close", title="portal close")
    assert not told.contract.unseen("portal status", "portal close")


def test_block_lists(make_daemon, server, public_path):
    """One of the lists is missing."""
    (public_path / "ads").write_text("ads.example\n")
    daemon, contract = make_daemon(server, block={"lists": [{"file": str(public_path / name)} for name in ("ads", "missing")]}), Contract()
    for arguments in (("block", "test", "x.ads.example"), ("block", "test", "a.example"), ("unblock", "a.example"), ("block", "list"), ("block", "update")):
        done = call("-c", daemon.config_file, "--json", *arguments)
        assert done.stdout, done.stderr
        contract.check(" ".join(arguments[:2]) if arguments[0] == "block" else "unblock", done.stdout)
    assert not contract.unseen("block list", "block test", "unblock")


def test_anchors(make_daemon, server):
    for mode in ("off", "validate"):  # test_anchors.py has more states
        daemon, contract = make_daemon(server, dnssec=mode), Contract()
        for title, *arguments in (("dnssec anchors", "dnssec", "anchors"), ("status", "status")):
            done = call("-c", daemon.config_file, "--json", *arguments)
            assert done.returncode == 0, done.stderr
            contract.check(title, done.stdout)
        assert bool(contract.seen["status"] & {"dnssec.anchors[].key_tag"}) == (mode == "validate")
        daemon.stop()


def test_negative_anchors(make_daemon, server):
    daemon, contract = make_daemon(server, dnssec={"negative": ["a.example until 2099-12-31"]}), Contract()
    for title, *arguments in (("dnssec negative", "add", "b.example"), ("dnssec negative list", "list"), ("dnssec negative", "remove", "b.example")):
        done = call("-c", daemon.config_file, "--json", "dnssec", "negative", *arguments)
        assert done.stdout, done.stderr
        contract.check(title, done.stdout)
    assert not contract.unseen("dnssec negative", "dnssec negative list")


def test_reload(make_public, server):
    daemon, contract = make_public(server), Contract()
    path = daemon.config["control"]["socket"]
    contract.check("reload", call("-s", path, "--json", "reload").stdout)
    daemon.config_file.write_text(json.dumps(daemon.config | {"workers": 2}))
    assert contract.check("reload", call("-s", path, "--json", "reload").stdout)["at_next_start"] == ["workers"]
    status = contract.check("status", call("-s", path, "--json", "status").stdout)["configuration"]
    assert status["last_reload"] == "good" and status["at_next_start"] == ["workers"]
    daemon.config_file.write_text("cahce: {}\n")
    assert call("-s", path, "--json", "reload").returncode == 78
    assert contract.check("status", call("-s", path, "--json", "status").stdout)["configuration"]["mistakes"]
    assert not contract.unseen("reload")


def test_commands_about_the_machine(told, public_path):
    patient = Patient(public_path / "root", told.namespace, told.daemon.config_file)
    patient.file("/etc/resolv.conf", "# generated by somebody\nnameserver 127.0.0.1\n")
    for arguments in (["doctor"], ["doctor", "--quick"]):
        patient.doctor(*arguments[1:])
        told.contract.check("doctor", json.dumps(patient.found))
    patient.file("/etc/resolv.conf", "# generated by somebody\nnameserver 192.0.2.1\n")
    patient.problems()
    told.contract.check("doctor", json.dumps(patient.found))
    told.contract.check("system status", patient.system("--json", "status", status=2))
    told.contract.check("system status", patient.system("--json", "status", status=2, real=True))
    told("pin", "liar")
    told.server.refuse()
    told("pin", "liar", status=1)
    assert not told.contract.unseen("doctor", "system status", "pin")


def test_upgrade(make_public, programs, server):
    daemon, contract = make_public(server), Contract()
    replaced = contract.check("upgrade", upgrade(daemon, programs, options=["--json"]))
    assert replaced["before"]["pid"] == daemon.pid and not contract.unseen("upgrade")
    daemon.wait_exit()
    os.kill(replaced["after"]["pid"], signal.SIGTERM)


def test_watch(daemon):
    watching = Process([*PREFIX, str(CTL), "--json", "--socket", daemon.config["control"]["socket"], "stats", "--watch"],
                       read="stdout", env=environment())
    try:
        Contract().check("stats --watch", watching.wait_line(r"^\{.*\}$"))
    finally:
        watching.end()
