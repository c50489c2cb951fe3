noinst_LIBRARIES += libresolve.a
libresolve_a_SOURCES =
