noinst_LIBRARIES += libdns.a
libdns_a_SOURCES = src/dns/edit.c src/dns/key.c src/dns/message.c src/dns/name.c src/dns/records.c src/dns/ttl.c
noinst_HEADERS += include/dns/edit.h include/dns/key.h include/dns/message.h include/dns/name.h \
  include/dns/records.h include/dns/ttl.h
