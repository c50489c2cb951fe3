noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = src/net/loop.c src/net/mailbox.c src/net/socket.c \
  src/net/stream.c src/net/stream_private.h src/net/stream_read.c src/net/tls.c src/net/tls_private.h src/net/tls_tickets.c \
  src/net/tls_trust.c src/net/tls_verify.c
noinst_HEADERS += include/net/loop.h include/net/mailbox.h include/net/socket.h include/net/stream.h include/net/tls.h
