# SPDX-License-Identifier: MIT
# The programs of the benchmark (tests/bench/run).
noinst_PROGRAMS += tests/bench/floor_udp tests/bench/floor_tcp tests/bench/floor_dot tests/bench/floor_tls tests/bench/handshakes tests/bench/upstream
tests_bench_floor_udp_SOURCES = tests/bench/floor_udp.c
tests_bench_floor_tcp_SOURCES = tests/bench/floor_tcp.c
tests_bench_floor_tcp_LDADD = $(LIBUV_LIBS)
tests_bench_floor_tls_SOURCES = tests/bench/floor_tls.c tests/bench/tls.c tests/bench/tls.h
tests_bench_floor_tls_LDADD = $(LIBUV_LIBS) $(GNUTLS_LIBS)
tests_bench_handshakes_SOURCES = tests/bench/handshakes.c tests/bench/tls.c tests/bench/tls.h tests/tools/query.c tests/tools/query.h
tests_bench_handshakes_LDADD = $(GNUTLS_LIBS)
tests_bench_floor_dot_SOURCES = tests/bench/floor_dot.c tests/bench/tls.c tests/bench/tls.h
tests_bench_floor_dot_LDADD = $(LIBUV_LIBS) $(GNUTLS_LIBS)
tests_bench_upstream_SOURCES = tests/bench/upstream.c tests/bench/answer.c tests/bench/answer.h tests/bench/h2.c tests/bench/h2.h tests/bench/tls.c tests/bench/tls.h \
  tests/tools/names.c tests/tools/names.h tests/tools/query.c tests/tools/query.h
tests_bench_upstream_LDADD = $(GNUTLS_LIBS) $(NGHTTP2_LIBS) -lm
EXTRA_DIST += tests/bench/callgrind.py tests/bench/costs tests/bench/growth.py tests/bench/outages tests/bench/path tests/bench/peers tests/bench/report.py tests/bench/rows.py tests/bench/run tests/bench/smoke tests/bench/subjects.py

# Without a network: the cache itself.
bench_samples = tests/bench/samples.c tests/bench/samples.h tests/tools/names.c tests/tools/names.h tests/tools/query.c tests/tools/query.h
noinst_PROGRAMS += tests/bench/hitratio tests/bench/cachecost
tests_bench_hitratio_SOURCES = tests/bench/hitratio.c tests/bench/policies.c tests/bench/policies.h $(bench_samples)
tests_bench_hitratio_LDADD = $(cache_libs) -lm
tests_bench_cachecost_SOURCES = tests/bench/cachecost.c $(bench_samples)
tests_bench_cachecost_LDADD = $(cache_libs) -lm
