/* SPDX-License-Identifier: MIT */
/* PROXY headers, also in pieces: what is incomplete stays so until the header ends, and later bytes change nothing. */
#include <errno.h>
#include <sys/socket.h>
#include "../../src/listen/proxy.h"
#include "fuzz.h"

static int read_part(const uint8_t *data, size_t size, struct addr *client)
{
    uint8_t *exact = exact_copy(data, size);
    *client = (struct addr){.sa = {.sa_family = AF_UNSPEC}};
    int result = proxy_read((struct bytes){exact, size}, client);
    free(exact);
    MUST(result == -EBADMSG || (result >= 0 && result <= PROXY_MAX && (size_t)result <= size));
    MUST(result > 0 || client->sa.sa_family == AF_UNSPEC);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct addr client, whole;
    int result = 0, end = read_part(data, size, &whole);
    for (size_t len = 0; len <= size && result == 0; len++) {
        result = read_part(data, len, &client);
        MUST(result <= 0 || ((size_t)result == len && len >= PROXY_HEADER));
    }
    MUST(result == end);
    if (result > 0) {
        MUST(client.sa.sa_family == whole.sa.sa_family);
        MUST(client.sa.sa_family == AF_UNSPEC || addr_equal(&client, &whole));
        MUST(client.sa.sa_family == AF_UNSPEC || data[12] == 0x21);
    }
    return 0;
}
