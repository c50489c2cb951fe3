noinst_LIBRARIES += libupstream.a
libupstream_a_SOURCES = src/upstream/group.h src/upstream/pool.c src/upstream/server.c src/upstream/session.c src/upstream/upstream.c
noinst_HEADERS += include/upstream/exchange.h include/upstream/upstream.h
