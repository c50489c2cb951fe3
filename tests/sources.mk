# SPDX-License-Identifier: MIT
dist_check_SCRIPTS = tests/model/run tests/lint/documents tests/lint/english tests/lint/format tests/lint/hardening tests/lint/layers tests/lint/manuals tests/lint/source tests/lint/transports tests/lint/version tests/lint/without-openssl
TESTS += tests/model/run tests/lint/documents tests/lint/english tests/lint/format tests/lint/hardening tests/lint/layers tests/lint/manuals tests/lint/source tests/lint/transports tests/lint/version tests/lint/without-openssl

# The load generator of the integration tests. Not a check program, since check programs are tests.
noinst_PROGRAMS += tests/tools/dnsload
tests_tools_dnsload_SOURCES = tests/tools/dnsload.c tests/bench/h2.c tests/bench/h2.h tests/bench/tls.c tests/bench/tls.h tests/tools/names.c tests/tools/names.h tests/tools/options.c \
  tests/tools/options.h tests/tools/query.c tests/tools/query.h
tests_tools_dnsload_LDADD = -lm $(GNUTLS_LIBS) $(NGHTTP2_LIBS)

# Preloaded into the daemon by an integration test.
check_DATA = tests/tools/failing.so
CLEANFILES += tests/tools/failing.so
EXTRA_DIST += tests/tools/failing.c
tests/tools/failing.so: $(srcdir)/tests/tools/failing.c
	$(AM_V_CCLD)mkdir -p tests/tools && $(CC) $(DEFAULT_INCLUDES) -D_GNU_SOURCE $(WARNING_FLAGS) $(CFLAGS) -fPIC -shared -o $@ $(srcdir)/tests/tools/failing.c -ldl

EXTRA_DIST += tests/lint/english-exceptions packaging .ci/run tests/faults tests/fleet tests/integration tests/live tests/model/lookup.pml tests/page tests/run tests/tools/fault-table tests/tools/tally
