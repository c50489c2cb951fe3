noinst_LIBRARIES += liblisten.a
liblisten_a_SOURCES = src/listen/tcp.c src/listen/udp.c
noinst_HEADERS += include/listen/tcp.h include/listen/udp.h
