dist_check_SCRIPTS = tests/lint/layers
TESTS += tests/lint/layers
