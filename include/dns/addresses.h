/* SPDX-License-Identifier: MIT */
/* The addresses in the records of a response.
 *
 * Does:    finds addresses in A and AAAA records and in the hints of SVCB and HTTPS records.
 * Owns:    nothing.
 * Threads: any.
 * RFC:     1035, 3596, 9460 section 7.3 (ipv4hint, ipv6hint).
 */
#ifndef DOTSTUB_DNS_ADDRESSES_H
#define DOTSTUB_DNS_ADDRESSES_H

#include "base/addr.h"
#include "dns/message.h"

/* Of 4 or 16 bytes. */
typedef bool address_test(const uint8_t *address, size_t len);

typedef bool address_test_with(void *context, const uint8_t *address, size_t len);

/* True if the test is true for an address in the answer or in the additional section of a message that was walked. */
bool addresses_in_answer(const struct answer *answer, address_test *test);
bool addresses_in_additional(const struct answer *answer, address_test *test);
/* The same with a context, for the answer section. */
bool addresses_test_in_answer(const struct answer *answer, address_test_with *test, void *context);
/* Copies the addresses of the records of this type, A or AAAA, in the answer section of a message that was walked, at
 * most `most`, without a port. Returns their number. */
size_t addresses_list(const struct answer *answer, uint16_t type, struct addr *out, size_t most);

#endif
