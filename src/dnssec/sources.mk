# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libdnssec.a
libdnssec_a_SOURCES = src/dnssec/anchors.c src/dnssec/canonical.c src/dnssec/canonical.h src/dnssec/crypto.c src/dnssec/crypto.h \
  src/dnssec/denial.c src/dnssec/denial.h src/dnssec/denial_nsec.c src/dnssec/denial_nsec3.c src/dnssec/facts.c src/dnssec/facts.h \
  src/dnssec/inside.h src/dnssec/proofs.c src/dnssec/proofs.h src/dnssec/proofs_answer.c src/dnssec/rrsets.c src/dnssec/rrsets.h src/dnssec/sets.c src/dnssec/sighting.c src/dnssec/signature.c src/dnssec/signature.h \
  src/dnssec/tracking.c \
  src/dnssec/verdict.c src/dnssec/verified.c src/dnssec/wire.h src/dnssec/zones.c
# Without this ldns defines bool as signed char if its headers come before stdbool.h.
libdnssec_a_CPPFLAGS = $(AM_CPPFLAGS) -DHAVE_STDBOOL_H
noinst_HEADERS += include/dnssec/anchors.h include/dnssec/denials.h include/dnssec/sighting.h include/dnssec/tracking.h include/dnssec/validation.h include/dnssec/verified.h

check_PROGRAMS += tests/unit/test_validation
tests_unit_test_validation_SOURCES = tests/unit/test_validation.c tests/unit/signer.h
tests_unit_test_validation_LDADD = $(dnssec_libs) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_denials
tests_unit_test_denials_SOURCES = tests/unit/test_denials.c tests/unit/seeds.h tests/unit/signer.h
tests_unit_test_denials_LDADD = $(dnssec_libs) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_tracking
tests_unit_test_tracking_SOURCES = tests/unit/test_tracking.c tests/unit/root_signer.h tests/unit/signer.h
tests_unit_test_tracking_LDADD = $(dnssec_libs) $(CMOCKA_LIBS)
