# SPDX-License-Identifier: MIT
# Fuzz targets: each is an LLVMFuzzerTestOneInput in a file of its own, with seeds in tests/fuzz/corpus/TARGET.
# Configured with --enable-fuzzers (and CC=clang), `make fuzzers` links them with libFuzzer; else each replays its corpus
# in `make check`. A new target needs these lines and its folder of seeds:
#
# fuzz_targets += tests/fuzz/fuzz_x
# tests_fuzz_fuzz_x_SOURCES = tests/fuzz/fuzz_x.c $(fuzz_main)
# tests_fuzz_fuzz_x_LDADD = $(dns_libs)
# tests_fuzz_fuzz_x_LDFLAGS = $(fuzz_ldflags)
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/dns.dict tests/fuzz/run

if FUZZERS
AM_CFLAGS += -fsanitize=fuzzer-no-link
fuzz_main =
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
EXTRA_PROGRAMS = $(fuzz_targets)
fuzzers: $(fuzz_targets)
.PHONY: fuzzers
else
fuzz_main = tests/fuzz/replay.c
fuzz_ldflags = $(AM_LDFLAGS)
check_PROGRAMS += $(fuzz_targets)
endif

fuzz_targets += tests/fuzz/fuzz_answer
tests_fuzz_fuzz_answer_SOURCES = tests/fuzz/fuzz_answer.c tests/fuzz/fuzz.h tests/fuzz/ldns_reads.h $(fuzz_main)
tests_fuzz_fuzz_answer_LDADD = $(dns_libs)
tests_fuzz_fuzz_answer_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz_name
tests_fuzz_fuzz_name_SOURCES = tests/fuzz/fuzz_name.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_name_LDADD = $(dns_libs)
tests_fuzz_fuzz_name_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz_request
tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_request_LDADD = $(dns_libs)
tests_fuzz_fuzz_request_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz_age
tests_fuzz_fuzz_age_SOURCES = tests/fuzz/fuzz_age.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_age_LDADD = $(dns_libs)
tests_fuzz_fuzz_age_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz_edit
tests_fuzz_fuzz_edit_SOURCES = tests/fuzz/fuzz_edit.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_edit_LDADD = $(dns_libs)
tests_fuzz_fuzz_edit_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz_stream
tests_fuzz_fuzz_stream_SOURCES = tests/fuzz/fuzz_stream.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_stream_LDADD = $(net_libs)
tests_fuzz_fuzz_stream_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz_dump
tests_fuzz_fuzz_dump_SOURCES = tests/fuzz/fuzz_dump.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_dump_LDADD = $(cache_libs)
tests_fuzz_fuzz_dump_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz_cache
tests_fuzz_fuzz_cache_SOURCES = tests/fuzz/fuzz_cache.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_cache_LDADD = $(cache_libs)
tests_fuzz_fuzz_cache_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz_denials
tests_fuzz_fuzz_denials_SOURCES = tests/fuzz/fuzz_denials.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_denials_LDADD = $(dnssec_libs)
tests_fuzz_fuzz_denials_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz_validation
tests_fuzz_fuzz_validation_SOURCES = tests/fuzz/fuzz_validation.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_validation_LDADD = $(dnssec_libs)
tests_fuzz_fuzz_validation_LDFLAGS = $(fuzz_ldflags)
fuzz_targets += tests/fuzz/fuzz_chain
tests_fuzz_fuzz_chain_SOURCES = tests/fuzz/fuzz_chain.c tests/fuzz/fuzz.h tests/fuzz/ldns_reads.h $(fuzz_main)
tests_fuzz_fuzz_chain_LDADD = $(dns_libs)
tests_fuzz_fuzz_chain_LDFLAGS = $(fuzz_ldflags)

# With the fake network of src/upstream/sources.mk.
fuzz_targets += tests/fuzz/fuzz_worker
tests_fuzz_fuzz_worker_SOURCES = tests/fuzz/fuzz_worker.c tests/fuzz/fuzz.h tests/unit/fake_client.h src/daemon/steps.c $(fake_net_sources) $(fuzz_main)
tests_fuzz_fuzz_worker_LDADD = libpolicy.a $(fake_resolve_libs)
tests_fuzz_fuzz_worker_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz_hosts
tests_fuzz_fuzz_hosts_SOURCES = tests/fuzz/fuzz_hosts.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_hosts_LDADD = $(policy_libs)
tests_fuzz_fuzz_hosts_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz_http2
tests_fuzz_fuzz_http2_SOURCES = tests/fuzz/fuzz_http2.c tests/fuzz/fuzz.h tests/unit/http2_peer.h $(fuzz_main)
tests_fuzz_fuzz_http2_LDADD = $(net_libs)
tests_fuzz_fuzz_http2_LDFLAGS = $(fuzz_ldflags)

fuzz_targets += tests/fuzz/fuzz_sighting
tests_fuzz_fuzz_sighting_SOURCES = tests/fuzz/fuzz_sighting.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_sighting_LDADD = $(dnssec_libs)
tests_fuzz_fuzz_sighting_LDFLAGS = $(fuzz_ldflags)
