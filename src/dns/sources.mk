# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libdns.a
libdns_a_SOURCES = src/dns/addresses.c src/dns/aliases.c src/dns/build.c src/dns/chain.c src/dns/codes.c src/dns/ede.c \
  src/dns/edit.c src/dns/key.c src/dns/localdata.c src/dns/message_answer.c src/dns/message_request.c src/dns/name.c \
  src/dns/nameset.c src/dns/rdata.c src/dns/records.c src/dns/rewrite.c src/dns/rotate.c src/dns/suffixes.c src/dns/svcb.c src/dns/synthesis.c \
  src/dns/ttl.c src/dns/walk.c src/dns/walk.h src/dns/without_openssl.c src/dns/zonetext.c
# Without this ldns defines bool as signed char if its headers come before stdbool.h.
libdns_a_CPPFLAGS = $(AM_CPPFLAGS) -DHAVE_STDBOOL_H
noinst_HEADERS += include/dns/addresses.h include/dns/aliases.h include/dns/build.h include/dns/chain.h include/dns/codes.h \
  include/dns/edit.h include/dns/key.h include/dns/localdata.h include/dns/message.h include/dns/name.h include/dns/nameset.h \
  include/dns/presence.h include/dns/records.h include/dns/rewrite.h include/dns/rotate.h include/dns/suffixes.h \
  include/dns/svcb.h include/dns/synthesis.h include/dns/ttl.h include/dns/zonetext.h

check_PROGRAMS += tests/unit/test_edit tests/unit/test_records tests/unit/test_synthesis tests/unit/test_ttl
tests_unit_test_synthesis_SOURCES = tests/unit/test_synthesis.c
tests_unit_test_synthesis_LDADD = $(dns_libs) $(CMOCKA_LIBS)
tests_unit_test_edit_SOURCES = tests/unit/test_edit.c
tests_unit_test_edit_LDADD = $(dns_libs) $(CMOCKA_LIBS)
tests_unit_test_records_SOURCES = tests/unit/test_records.c
tests_unit_test_records_LDADD = $(dns_libs) $(CMOCKA_LIBS)
tests_unit_test_ttl_SOURCES = tests/unit/test_ttl.c
tests_unit_test_ttl_LDADD = $(dns_libs) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_answers tests/unit/test_chain tests/unit/test_ede tests/unit/test_key tests/unit/test_message_answer \
  tests/unit/test_message_request tests/unit/test_name tests/unit/test_rdata
EXTRA_DIST += tests/data/answers tests/tools/make-answers
tests_unit_test_answers_SOURCES = tests/unit/test_answers.c
tests_unit_test_answers_LDADD = $(dns_libs) $(CMOCKA_LIBS)
tests_unit_test_chain_SOURCES = tests/unit/test_chain.c tests/unit/wire.h
tests_unit_test_chain_LDADD = $(dns_libs) $(CMOCKA_LIBS)
tests_unit_test_ede_SOURCES = tests/unit/test_ede.c
tests_unit_test_ede_LDADD = $(dns_libs) $(CMOCKA_LIBS)
tests_unit_test_key_SOURCES = tests/unit/test_key.c
tests_unit_test_key_LDADD = $(dns_libs) $(CMOCKA_LIBS)
tests_unit_test_message_answer_SOURCES = tests/unit/test_message_answer.c tests/unit/wire.h
tests_unit_test_message_answer_LDADD = $(dns_libs) $(CMOCKA_LIBS)
tests_unit_test_message_request_SOURCES = tests/unit/test_message_request.c tests/unit/wire.h
tests_unit_test_message_request_LDADD = $(dns_libs) $(CMOCKA_LIBS)
tests_unit_test_name_SOURCES = tests/unit/test_name.c
tests_unit_test_name_LDADD = $(dns_libs) $(CMOCKA_LIBS)
tests_unit_test_rdata_SOURCES = tests/unit/test_rdata.c tests/unit/wire.h
tests_unit_test_rdata_LDADD = $(dns_libs) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_rewrite tests/unit/test_rotate tests/unit/test_suffixes
tests_unit_test_rewrite_SOURCES = tests/unit/test_rewrite.c tests/unit/wire.h
tests_unit_test_rewrite_LDADD = $(dns_libs) $(CMOCKA_LIBS)
tests_unit_test_rotate_SOURCES = tests/unit/test_rotate.c tests/unit/wire.h
tests_unit_test_rotate_LDADD = $(dns_libs) $(CMOCKA_LIBS)
tests_unit_test_suffixes_SOURCES = tests/unit/test_suffixes.c
tests_unit_test_suffixes_LDADD = $(dns_libs) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_nameset
tests_unit_test_nameset_SOURCES = tests/unit/test_nameset.c
tests_unit_test_nameset_LDADD = $(dns_libs) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_aliases
tests_unit_test_aliases_SOURCES = tests/unit/test_aliases.c
tests_unit_test_aliases_LDADD = $(dns_libs) $(CMOCKA_LIBS)
