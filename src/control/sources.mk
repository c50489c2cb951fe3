# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libcontrol.a
libcontrol_a_SOURCES = src/control/api.c src/control/api.h src/control/control.c src/control/explain.c src/control/explain.h src/control/forward.c src/control/forward.h src/control/health.c \
  src/control/anchors.c src/control/anchors.h src/control/trust.c src/control/trust.h src/control/blocking.c src/control/blocking.h src/control/negatives.c src/control/negatives.h \
  src/control/health.h src/control/json.h \
  src/control/listener.c src/control/listener.h src/control/logset.c src/control/logset.h src/control/metrics.c src/control/metrics.h src/control/page.c src/control/page.h \
  src/control/peer.c src/control/peer.h src/control/process.c src/control/process.h src/control/prometheus.c src/control/prometheus.h \
  src/control/records.c src/control/queries.c src/control/queries.h src/control/request.c src/control/request.h \
  src/control/reloads.c src/control/reloads.h src/control/server.c src/control/server.h src/control/status.c src/control/status.h \
  src/control/gather.c src/control/gather.h \
  src/control/token.c src/control/token.h src/control/tracer.c src/control/tracer.h src/control/view.h
nodist_libcontrol_a_SOURCES = src/control/page_html.c
EXTRA_DIST += src/control/page.html
CLEANFILES += src/control/page_html.c
libcontrol_a_SOURCES += src/control/blocking.c src/control/blocking.h
noinst_HEADERS += include/control/control.h include/control/ops.h

# The page as bytes.
src/control/page_html.c: $(srcdir)/src/control/page.html
	$(AM_V_GEN)$(MKDIR_P) src/control && { \
	  echo '/* SPDX-License-Identifier: MIT */' && echo '#include "control/page.h"' && \
	  echo 'const unsigned char page_html[] = {' && \
	  od -An -v -tx1 $(srcdir)/src/control/page.html | sed 's/\([0-9a-f][0-9a-f]\)/0x\1,/g' && \
	  echo '0};' && \
	  echo 'const size_t page_html_len = sizeof page_html - 1;'; } >$@.tmp && mv $@.tmp $@

check_PROGRAMS += tests/unit/test_api tests/unit/test_health tests/unit/test_listener tests/unit/test_peer tests/unit/test_gather tests/unit/test_http_server tests/unit/test_token tests/unit/test_tracer
tests_unit_test_token_SOURCES = tests/unit/test_token.c
tests_unit_test_token_LDADD = $(control_libs) $(CMOCKA_LIBS)
tests_unit_test_tracer_SOURCES = tests/unit/test_tracer.c tests/unit/fake_workers.h
tests_unit_test_tracer_LDADD = $(control_libs) $(CMOCKA_LIBS)
tests_unit_test_api_SOURCES = tests/unit/test_api.c tests/unit/fake_workers.h
tests_unit_test_api_LDADD = $(control_libs) $(CMOCKA_LIBS)
# The linker puts the test's own function in the place of the one that sends.
tests_unit_test_api_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=http_reply,--wrap=http_reply_page
tests_unit_test_health_SOURCES = tests/unit/test_health.c
tests_unit_test_health_LDADD = $(control_libs) $(CMOCKA_LIBS)
tests_unit_test_listener_SOURCES = tests/unit/test_listener.c
tests_unit_test_listener_LDADD = $(control_libs) $(CMOCKA_LIBS)
tests_unit_test_peer_SOURCES = tests/unit/test_peer.c
tests_unit_test_peer_LDADD = $(control_libs) $(CMOCKA_LIBS)
tests_unit_test_http_server_SOURCES = tests/unit/test_http_server.c
tests_unit_test_http_server_LDADD = $(control_libs) $(CMOCKA_LIBS)
tests_unit_test_gather_SOURCES = tests/unit/test_gather.c tests/unit/fake_workers.h
tests_unit_test_gather_LDADD = $(control_libs) $(CMOCKA_LIBS)

fuzz_targets += tests/fuzz/fuzz_control
tests_fuzz_fuzz_control_SOURCES = tests/fuzz/fuzz_control.c tests/fuzz/fuzz.h tests/unit/fake_workers.h $(fuzz_main)
tests_fuzz_fuzz_control_LDADD = $(control_libs)
tests_fuzz_fuzz_control_LDFLAGS = $(fuzz_ldflags)
