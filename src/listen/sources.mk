# SPDX-License-Identifier: MIT
noinst_LIBRARIES += liblisten.a
liblisten_a_SOURCES = src/listen/clients.c src/listen/clients.h src/listen/https.c src/listen/listener.h src/listen/listeners.c src/listen/proxy.c src/listen/proxy.h src/listen/tcp.c src/listen/tls.c src/listen/udp.c src/listen/udp_io.h src/listen/udp_mmsg.c
noinst_HEADERS += include/listen/kind.h include/listen/listeners.h

check_PROGRAMS += tests/unit/test_listeners tests/unit/test_proxy tests/unit/test_tcp tests/unit/test_udp tests/unit/test_udp_io
tests_unit_test_tcp_SOURCES = tests/unit/test_tcp.c tests/unit/server.h
tests_unit_test_tcp_LDADD = $(listen_libs) $(CMOCKA_LIBS)
tests_unit_test_udp_SOURCES = tests/unit/test_udp.c tests/unit/server.h
tests_unit_test_udp_LDADD = $(listen_libs) $(CMOCKA_LIBS)
tests_unit_test_udp_io_SOURCES = tests/unit/test_udp_io.c tests/unit/server.h
tests_unit_test_udp_io_LDADD = $(listen_libs) $(CMOCKA_LIBS)
tests_unit_test_listeners_SOURCES = tests/unit/test_listeners.c tests/unit/server.h
tests_unit_test_listeners_LDADD = $(listen_libs) $(CMOCKA_LIBS)
tests_unit_test_proxy_SOURCES = tests/unit/test_proxy.c
tests_unit_test_proxy_LDADD = $(listen_libs) $(CMOCKA_LIBS)

fuzz_targets += tests/fuzz/fuzz_proxy
tests_fuzz_fuzz_proxy_SOURCES = tests/fuzz/fuzz_proxy.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_proxy_LDADD = $(listen_libs)
tests_fuzz_fuzz_proxy_LDFLAGS = $(fuzz_ldflags)
