noinst_LIBRARIES += liblisten.a
liblisten_a_SOURCES =
