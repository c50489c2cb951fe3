# SPDX-License-Identifier: MIT
dist_check_SCRIPTS = tests/model/run tests/lint/documents tests/lint/english tests/lint/format tests/lint/hardening tests/lint/layers tests/lint/manuals tests/lint/source tests/lint/transports tests/lint/version tests/lint/without-openssl
TESTS += tests/model/run tests/lint/documents tests/lint/english tests/lint/format tests/lint/hardening tests/lint/layers tests/lint/manuals tests/lint/source tests/lint/transports tests/lint/version tests/lint/without-openssl

# The load generator of the integration tests. Not a check program, since check programs are tests.
noinst_PROGRAMS = tests/tools/dnsload
tests_tools_dnsload_SOURCES = tests/tools/dnsload.c tests/tools/names.c tests/tools/names.h tests/tools/options.c \
  tests/tools/options.h tests/tools/query.c tests/tools/query.h
tests_tools_dnsload_LDADD = -lm

EXTRA_DIST += tests/lint/english-exceptions packaging .ci/run tests/faults tests/integration tests/live tests/model/lookup.pml tests/page tests/run tests/tools/fault-table tests/tools/tally
