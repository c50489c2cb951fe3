# SPDX-License-Identifier: MIT
"""The command line and the configuration file."""
import json
import pathlib
import re
import shutil

import jsonschema
import pytest
import yaml

from daemon import USER, run, write_config
from processes import Process, free_port

CONFIGURATION = 78


@pytest.fixture
def check(tmp_path, certs):
    """check(text): the (status, standard error) of `--check` for a file."""
    def do(text, **variables):
        path = write_config(tmp_path / "dotstub.yaml", text)
        done = run("-c", path, "--check", **{"DOTSTUB_TLS_CA_FILE": certs.ca_file, **variables})
        return done.returncode, done.stderr
    return do


@pytest.fixture
def printed(tmp_path):
    """printed(text): the output of `--print-config` for a file."""
    def do(text, **variables):
        path = write_config(tmp_path / "dotstub.yaml", text)
        done = run("-c", path, "--print-config", **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout
    return do


def test_a_check_by_root_warns_of_what_the_user_cannot_read(certs, public_path):
    """sudo and a strict umask make such files; the service reads them as its user."""
    path, ca_file, dropins = public_path / "dotstub.yaml", public_path / "ca.pem", public_path / "conf.d"
    dropins.mkdir(mode=0o755)
    shutil.copy(certs.ca_file, ca_file)
    (dropins / "a.yaml").write_text("workers: 2\n")
    write_config(path, {"tls": {"ca-file": str(ca_file)}})
    for secret in ca_file, dropins / "a.yaml", path:
        for file in ca_file, dropins / "a.yaml", path:
            file.chmod(0o600 if file == secret else 0o644)
        done = run("-c", path, "--check", "--user", USER)
        assert done.returncode == 0 and "the configuration is good" in done.stdout
        assert done.stderr.startswith(f"warning: for user {USER}, as which the daemon reloads: ") and done.stderr.count("\n") == 1
        assert str(secret) in done.stderr and "Permission denied" in done.stderr
    path.chmod(0o644)
    done = run("-c", path, "--check", "--user", USER)
    assert done.returncode == 0 and not done.stderr


# The command line.

def test_version():
    done = run("--version")
    assert done.returncode == 0 and re.fullmatch(r"dotstub \d+\.\d+\.\d+\S*\n", done.stdout)


def test_help_names_every_option():
    done = run("--help")
    assert done.returncode == 0
    for option in ("-c", "--config", "--check", "--print-config", "--version", "--help", "--user", "--schema"):
        assert option in done.stdout


# The schema.

TOP = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def schema():
    schema = json.loads(run("--schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def uncommented(text):
    """The annotated file, with all its settings uncommented."""
    return re.sub(r"^#( *(?:- )?(?:dns64|[a-z-]+):)", r"\1", text, flags=re.M)


def test_the_schema_accepts_what_the_daemon_accepts(schema, check):
    annotated = uncommented(run("--print-default-config").stdout)
    assert annotated.count("\n  size: ") == 1 and "- name: google" in annotated
    for text in (annotated, "", "upstreams: [quad9, google]\nlog: {level: debug, queries: yes}\ncache: {serve-stale: 0, size: 1048576}\n"
                 "tls: {min-version: 1.2}\nworkers: auto\nmetrics: {listen: off}\ncache: \n"[:-8],
                 *(path.read_text() for path in (TOP / "packaging/etc/dotstub.yaml", *TOP.glob("packaging/kubernetes/*/dotstub.yaml")))):
        settings = yaml.safe_load(text)
        assert not list(schema.iter_errors(settings)), text
        assert check(text)[0] == 0, text


@pytest.mark.parametrize("text", [
    "cahce: {}", "cache: {size: lots}", "cache: {sise: 1MiB}", "workers: 0", "workers: many", "upstreams: google", "upstreams: [qaud9]",
    "upstreams: [{tls-name: a}]", "upstreams: [{name: a, prot: 1}]", "log: {level: loud}", "access: {allow: [nowhere]}",
    "limits: {answer-by: 3500}", "log: {modules: [tls]}", "listen: 127.0.0.1", "cache: {prefetch: maybe}", "cache: {save-file: here}"])
def test_the_schema_refuses_mistakes(schema, check, text):
    assert list(schema.iter_errors(yaml.safe_load(text)))
    assert check(text)[0] == CONFIGURATION


def test_the_schema_has_every_option(schema):
    printed = {key for key in re.findall(r"^(?:  )?(?:  - |    )?([a-z-]+):", run("--print-config").stdout, re.M)}
    names = set(re.findall(r'"([a-z-]+)": \{', json.dumps(schema.schema)))
    assert printed <= names


# Files that are fine.

@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}\n"])
def test_an_empty_file_is_fine(check, text):
    assert check(text)[0] == 0


def test_the_whole_contract_is_fine(check, certs, tmp_path):
    text = f"""\
listen: [127.0.0.1, "::1", 127.0.0.2@5353, "::1@5353"]
workers: auto
upstreams:
  - name: google
    tls-name: dns.google
    addresses: [8.8.8.8, "2001:4860:4860::8888"]
    port: 853
    pins: []
    role: primary
    ecs: off
    max-qps: 0
  - name: quad9
    tls-name: dns.quad9.net
    addresses: [9.9.9.9@8853]
    role: backup
    ecs: default
    max-qps: 500
    ca-file: {certs.ca_file}
    min-version: "1.3"
    source: 127.0.0.1
  - name: pinned
    addresses: [192.0.2.1]
    pins: ["{certs.good.pin}"]
tls:
  ca-file: {certs.ca_file}
  min-version: "1.2"
  sessions: 2
  idle: 30s
cache:
  size: 64MiB
  min-ttl: 0s
  max-ttl: 1d
  negative-max-ttl: 1h
  prefetch: yes
  serve-stale: 1d
  stale-answer-after: 1800ms
  save: no
limits:
  answer-by: 3500ms
  queries-in-flight: 10000
  tcp-clients: 1000
  tcp-idle: 10s
  udp-size: 1232
access:
  allow: [127.0.0.0/8, "::1"]
  deny: drop
control:
  socket: /run/dotstub/control.sock
metrics:
  listen: off
log:
  level: info
  queries: no
"""
    assert check(text) == (0, "") or check(text)[0] == 0


# Mistakes.

MISTAKES = {
    "an unknown section": ("cahce:\n  size: 1MiB\n", 1, 1, "cache"),
    "an unknown key": ("tls:\n  sesions: 2\n", 2, 3, "sessions"),
    "an unknown key of an upstream": (
        "upstreams:\n  - name: a\n    tls-nam: b.example\n    tls-name: b.example\n    addresses: [192.0.2.1]\n", 3, 5, "tls-name"),
    "a word that is near": ("log:\n  level: inof\n", 2, 10, "info"),
    "no number": ("limits:\n  udp-size: banana\n", 2, 13, None),
    "a number out of range": ("limits:\n  udp-size: 100000\n", 2, 13, None),
    "a negative number": ("limits:\n  tcp-clients: -1\n", 2, 16, None),
    "a size without sense": ("cache:\n  size: 64 bananas\n", 2, 9, None),
    "a duration without unit": ("tls:\n  idle: 30 parsecs\n", 2, 9, None),
    "a list where a scalar belongs": ("tls:\n  idle: [1s]\n", 2, 9, None),
    "a scalar where a section belongs": ("cache: big\n", 1, 8, None),
    "no address": ("listen: [127.0.0.1, 300.1.1.1]\n", 1, 21, None),
    "a bad port": ("listen: [127.0.0.1@70000]\n", 1, 10, None),
    "a bad prefix": ("access:\n  allow: [127.0.0.0/33]\n", 2, 11, None),
    "a bad pin": ("upstreams:\n  - name: a\n    tls-name: b.example\n    addresses: [192.0.2.1]\n    pins: [sha256/short]\n",
                  5, 12, None),
    "no boolean": ("cache:\n  prefetch: perhaps\n", 2, 13, None),
    "a TLS version that is too old": ('tls:\n  min-version: "1.1"\n', 2, 16, None),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_shown_where_it_is(check, tmp_path, mistake):
    text, line, column, near = MISTAKES[mistake]
    status, errors = check(text)
    assert status == CONFIGURATION
    assert re.search(rf"dotstub\.yaml:{line}:{column}\b", errors), errors
    assert text.splitlines()[line - 1] in errors, "the source line is not shown"
    assert re.search(r"^ *(\|)? *\^", errors, re.M), "no caret"
    if near:
        assert re.search(rf"did you mean .?{near}", errors), errors


@pytest.mark.parametrize("text, place", [
    ("tls:\n  ca-file: /nowhere/ca.pem\n", r"dotstub\.yaml:2: upstream google: "),
    ("upstreams:\n  - {name: a, tls-name: a.example, addresses: [192.0.2.1],\n     ca-file: /nowhere/ca.pem}\n",
     r"dotstub\.yaml:3: upstream a: ")])
def test_certificates_that_cannot_be_read_are_a_mistake_with_its_place(tmp_path, text, place):
    done = run("-c", write_config(tmp_path / "dotstub.yaml", text), "--check")
    assert done.returncode == CONFIGURATION
    assert re.search(place + ".* /nowhere/ca\\.pem: No such file", done.stderr), done.stderr


def test_the_caret_is_below_the_mistake(check):
    _, errors = check("tls:\n  sesions: 2\n")
    lines = errors.splitlines()
    caret = next(number for number, line in enumerate(lines) if line.strip(" |").startswith("^"))
    assert lines[caret - 1].index("sesions") == lines[caret].index("^")


def test_all_mistakes_are_reported_at_once(check):
    status, errors = check("cahce: {}\ntls:\n  sesions: 2\nlimits:\n  udp-size: banana\nlog:\n  level: loud\n")
    assert status == CONFIGURATION
    for line in (1, 3, 5, 7):
        assert f"dotstub.yaml:{line}:" in errors, errors


@pytest.mark.parametrize("text", ["listen: [\n", "a: b: c\n", "\tlisten: x\n", "- just\n- a list\n", "scalar\n", "\xff\xfe\n",
                                  "listen: *nothing\n", "a: &x [*x]\n", "listen: [127.0.0.1]\nlisten: [127.0.0.2]\n"])
def test_unsupported_yaml_is_reported(check, text):
    status, errors = check(text)
    assert status == CONFIGURATION and re.search(r"dotstub\.yaml:\d+:\d+", errors), errors


def test_an_upstream_needs_a_name_or_a_pin(check):
    status, errors = check("upstreams:\n  - name: a\n    addresses: [192.0.2.1]\n")
    assert status == CONFIGURATION and "tls-name" in errors and "pin" in errors
    assert re.search(r"dotstub\.yaml:2:", errors)


def test_an_upstream_needs_an_address(check):
    assert check("upstreams:\n  - name: a\n    tls-name: b.example\n")[0] == CONFIGURATION


def test_listening_beyond_loopback_needs_access(check):
    for address in ("0.0.0.0", "::", "192.0.2.1"):
        status, errors = check(f'listen: ["{address}"]\n')
        assert status == CONFIGURATION and "access.allow" in errors
        assert check(f'listen: ["{address}"]\naccess:\n  allow: [192.0.2.0/24]\n')[0] == 0


def test_check_binds_nothing_and_needs_no_port(check):
    import socket
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        assert check(f"listen: [127.0.0.1@{port}]\n")[0] == 0


def test_a_file_that_is_missing(tmp_path):
    done = run("-c", tmp_path / "missing.yaml", "--check")
    assert done.returncode == CONFIGURATION and "missing.yaml" in done.stderr


# Where values come from.

def test_print_config_shows_where_values_come_from(printed):
    out = printed("tls:\n  idle: 12s\n", DOTSTUB_CACHE_SIZE="8MiB")
    assert re.search(r"^ *idle: *12s *#.*dotstub\.yaml:2", out, re.M), out
    assert re.search(r"^ *size: *8MiB *#.*(environment|DOTSTUB_CACHE_SIZE)", out, re.M)
    assert re.search(r"^ *udp-size: *1232 *#.*default", out, re.M)


def test_print_config_reads_back_the_same(printed):
    values = lambda text: re.sub(r" *#.*", "", text)
    first = printed("tls:\n  idle: 12s\ncache:\n  prefetch: no\n", DOTSTUB_WORKERS="3")
    assert values(printed(first)) == values(first)


def test_the_environment_wins_over_the_file(printed):
    out = printed("cache:\n  size: 16MiB\n", DOTSTUB_CACHE_SIZE="8MiB", DOTSTUB_LISTEN="127.0.0.1@5301,::1@5301",
                  DOTSTUB_UPSTREAMS="dns.google=8.8.8.8+8.8.4.4,dns.quad9.net=9.9.9.9", DOTSTUB_LIMITS_TCP_IDLE="3s")
    assert re.search(r"size: *8MiB", out) and re.search(r"tcp-idle: *3s", out)
    assert "127.0.0.1@5301" in out and "dns.quad9.net" in out and "8.8.4.4" in out


@pytest.mark.parametrize("variable, value", [("DOTSTUB_CACHE_SIZE", "banana"), ("DOTSTUB_CACHE_SIZ", "1MiB"),
                                             ("DOTSTUB_LISTEN", "300.1.1.1"), ("DOTSTUB_UPSTREAMS", "8.8.8.8"),
                                             ("DOTSTUB_LISTEN", "0.0.0.0")])
def test_mistakes_in_the_environment_are_reported(check, variable, value):
    status, errors = check("", **{variable: value})
    assert status == CONFIGURATION and variable in errors


def test_drop_ins_are_read_in_order(printed, tmp_path):
    drop = tmp_path / "conf.d"
    drop.mkdir()
    (drop / "10-first.yaml").write_text("tls:\n  idle: 11s\n  sessions: 3\n")
    (drop / "20-second.yaml").write_text(
        "tls:\n  idle: 22s\nlisten: [127.0.0.3]\nupstreams:\n  - name: google\n    max-qps: 77\n")
    (drop / "ignored.txt").write_text("not: read\n")
    out = printed("listen: [127.0.0.1]\nupstreams:\n  - name: google\n    tls-name: dns.google\n    addresses: [8.8.8.8]\n")
    assert re.search(r"idle: *22s *#.*20-second\.yaml:2", out), out
    assert re.search(r"sessions: *3 *#.*10-first\.yaml:3", out)
    assert "127.0.0.1" in out and "127.0.0.3" in out
    assert re.search(r"max-qps: *77", out) and "8.8.8.8" in out


def test_drop_ins_that_are_not_read_are_named(make_daemon, server, tmp_path):
    daemon = make_daemon(server)
    daemon.stop()
    drop = daemon.config_file.parent / "conf.d"
    drop.mkdir(exist_ok=True)
    for name in ("upstream.yml", "README", "a.yaml.dpkg-new", "a.yaml~"):
        (drop / name).write_text("workers: 3\n")
    done = run("-c", daemon.config_file, "--check")
    assert done.returncode == 0 and [line for line in done.stderr.splitlines() if line.startswith("warning: ")] == done.stderr.splitlines()
    assert done.stderr.count("conf.d/") == 2 and "conf.d/upstream.yml is not read" in done.stderr
    again = Process(daemon.child.args, env=None)
    again.wait_line("daemon: ready")
    assert len(again.matching("warning config: .*conf.d/upstream.yml is not read")) == 1
    assert again.end() == 0


def test_a_mistake_in_a_drop_in_is_shown_there(check, tmp_path):
    drop = tmp_path / "conf.d"
    drop.mkdir()
    (drop / "10-bad.yaml").write_text("tls:\n  sesions: 2\n")
    status, errors = check("")
    assert status == CONFIGURATION and re.search(r"10-bad\.yaml:2:3", errors)


def test_a_list_in_a_file_replaces_the_default(printed):
    out = printed("upstreams:\n  - name: mine\n    tls-name: dns.example\n    addresses: [192.0.2.1]\n")
    assert "192.0.2.1" in out and "8.8.8.8" not in out


def test_the_cache_is_bounded_by_the_machine(printed):
    out = printed("cache:\n  size: 1024GiB\n")
    assert not re.search(r"^ *size: *1024GiB", out, re.M), out


def test_the_shipped_file_is_what_the_program_prints(tmp_path):
    import pathlib
    shipped = pathlib.Path(__file__).parents[2] / "conf" / "dotstub.yaml"
    done = run("--print-default-config")
    assert done.returncode == 0 and done.stdout == shipped.read_text()


def test_a_started_daemon_shows_the_same_configuration(make_daemon, server):
    daemon = make_daemon(server, cahce={"size": "1MiB"}, wait=False)
    assert daemon.wait_exit() == CONFIGURATION
    assert daemon.matching("did you mean")
