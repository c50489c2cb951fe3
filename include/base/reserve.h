/* SPDX-License-Identifier: MIT */
/* A reserve of memory for the libraries.
 *
 * Does:    defines malloc and its relatives for the whole process, with the C library's behind them. An allocation that
 *          fails there is taken from the reserve instead. Libraries need this: GMP ends the process when an allocation
 *          fails, and GnuTLS, libuv and ldns do not survive it everywhere. Our own code does (base/mem.h), so it does
 *          without the reserve once reserve_begin was called. When half of the reserve is in use, mem_is_short says so,
 *          and nothing that needs libraries should be begun.
 * Owns:    RESERVE_SIZE bytes, which need no pages until they are used.
 * Threads: any.
 * Use:     only programs that list reserve.c as a source have it. With a sanitizer, which has its own malloc, it does
 *          nothing.
 */
#ifndef DOTSTUB_BASE_RESERVE_H
#define DOTSTUB_BASE_RESERVE_H

#include <stddef.h>

#define RESERVE_SIZE ((size_t)1 << 20)

/* From now on mem_alloc and its relatives fail instead of using the reserve. */
void reserve_begin(void);
/* Number of bytes in use. */
size_t reserve_used(void);

#endif
