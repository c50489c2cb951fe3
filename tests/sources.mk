dist_check_SCRIPTS = tests/lint/layers
TESTS += tests/lint/layers

# The load generator of the integration tests: built with the check programs, but no test itself.
EXTRA_PROGRAMS = tests/tools/dnsload
tests_tools_dnsload_SOURCES = tests/tools/dnsload.c tests/tools/question.c tests/tools/question.h
check_DATA = tests/tools/dnsload
CLEANFILES += tests/tools/dnsload
