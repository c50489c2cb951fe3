# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = src/net/datagrams.c src/net/framing.c src/net/http2.c src/net/http2_headers.c src/net/http2_private.h src/net/layers.c src/net/link.c src/net/loop.c src/net/mailbox.c src/net/notify.c src/net/socket.c \
  src/net/stream.c src/net/stream_private.h src/net/stream_read.c src/net/tls.c src/net/tls_private.h src/net/tls_tickets.c \
  src/net/tls_authorities.c src/net/tls_chain.c src/net/tls_credential.c src/net/tls_make.c src/net/tls_server.c src/net/tls_trust.c src/net/tls_verify.c \
  src/net/verifytime.c src/net/wallclock.c
noinst_HEADERS += include/net/certificate.h include/net/framing.h include/net/http2.h include/net/link.h include/net/loop.h include/net/mailbox.h include/net/notify.h include/net/tap.h include/net/socket.h include/net/stream.h include/net/tls.h include/net/tls_make.h include/net/tls_server.h \
  include/net/datagrams.h \
  include/net/verifytime.h include/net/wallclock.h
if DNSTAP
libnet_a_SOURCES += src/net/tap.c
endif

check_PROGRAMS += tests/unit/test_datagrams tests/unit/test_link tests/unit/test_loop tests/unit/test_mailbox tests/unit/test_notify tests/unit/test_socket
tests_unit_test_datagrams_SOURCES = tests/unit/test_datagrams.c
tests_unit_test_datagrams_LDADD = $(net_libs) $(CMOCKA_LIBS)
tests_unit_test_link_SOURCES = tests/unit/test_link.c
tests_unit_test_link_LDADD = $(net_libs) $(CMOCKA_LIBS)
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c
tests_unit_test_loop_LDADD = $(net_libs) $(CMOCKA_LIBS)
tests_unit_test_mailbox_SOURCES = tests/unit/test_mailbox.c
tests_unit_test_mailbox_LDADD = $(net_libs) $(CMOCKA_LIBS)
tests_unit_test_notify_SOURCES = tests/unit/test_notify.c
tests_unit_test_notify_LDADD = $(net_libs) $(CMOCKA_LIBS)
tests_unit_test_socket_SOURCES = tests/unit/test_socket.c
tests_unit_test_socket_LDADD = $(net_libs) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_http2
tests_unit_test_http2_SOURCES = tests/unit/test_http2.c tests/unit/http2_peer.h
tests_unit_test_http2_LDADD = $(net_libs) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_stream tests/unit/test_tls
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c tests/unit/tls_server.c tests/unit/tls_server.h
tests_unit_test_stream_LDADD = $(net_libs) $(CMOCKA_LIBS)
tests_unit_test_tls_SOURCES = tests/unit/test_tls.c tests/unit/tls_server.c tests/unit/tls_server.h
tests_unit_test_tls_LDADD = $(net_libs) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_tls_make tests/unit/test_verifytime tests/unit/test_wallclock
tests_unit_test_tls_make_SOURCES = tests/unit/test_tls_make.c
tests_unit_test_tls_make_LDADD = $(net_libs) $(CMOCKA_LIBS)
tests_unit_test_verifytime_SOURCES = tests/unit/test_verifytime.c tests/unit/tls_server.c tests/unit/tls_server.h
tests_unit_test_verifytime_LDADD = $(net_libs) $(CMOCKA_LIBS)
tests_unit_test_wallclock_SOURCES = tests/unit/test_wallclock.c
tests_unit_test_wallclock_LDADD = $(net_libs) $(CMOCKA_LIBS)
# The linker replaces the system's functions by the test's own.
tests_unit_test_wallclock_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=timerfd_create -Wl,--wrap=timerfd_settime -Wl,--wrap=read
