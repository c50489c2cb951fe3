noinst_LIBRARIES += libdns.a
libdns_a_SOURCES = src/dns/ede.c src/dns/edit.c src/dns/key.c src/dns/message_answer.c \
  src/dns/message_request.c src/dns/name.c src/dns/rdata.c src/dns/records.c src/dns/ttl.c src/dns/walk.c src/dns/walk.h
noinst_HEADERS += include/dns/edit.h include/dns/key.h include/dns/message.h include/dns/name.h \
  include/dns/records.h include/dns/ttl.h
