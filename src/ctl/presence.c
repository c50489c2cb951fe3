/* SPDX-License-Identifier: MIT */
#include "presence.h"
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/errors.h"
#include "dns/codes.h"
#include "dns/presence.h"

static uint16_t random_number(void)
{
    uint16_t number;
    return getrandom(&number, sizeof number, GRND_NONBLOCK) == sizeof number ? number : (uint16_t)getpid();
}

int presence_check(struct probe_response *out, const struct addr *server, bool tcp, unsigned timeout_ms)
{
    char name[PRESENCE_TEXT];
    uint16_t number = random_number();
    int status = probe_send(out, server, presence_name(number, name), TYPE_A, tcp, timeout_ms);
    if (status < 0)
        return status;
    return out->rcode == RCODE_NOERROR && out->address == presence_address(number) ? 0 : PRESENCE_OTHER;
}

/* --- lookups with getaddrinfo --- */

/* Runs in the new process. */
static int resolve(uint16_t number)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    char name[PRESENCE_TEXT];
    bool arrived = false;
    int status = getaddrinfo(presence_name(number, name), NULL, &hints, &found);
    for (const struct addrinfo *at = status == 0 ? found : NULL; at; at = at->ai_next) {
        struct sockaddr_in address;
        memcpy(&address, at->ai_addr, sizeof address);
        arrived = arrived || address.sin_addr.s_addr == htonl(presence_address(number));
    }
    if (status == 0)
        freeaddrinfo(found);
    return arrived ? 0 : status == EAI_AGAIN ? PRESENCE_NONE : PRESENCE_OTHER;
}

int presence_check_programs(unsigned timeout_ms)
{
    uint16_t number = random_number();
    int status;
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0) {
        alarm((timeout_ms + 999) / 1000); /* SIGALRM ends the process */
        _exit(resolve(number));
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -ETIMEDOUT;
}

const char *presence_error(int status)
{
    switch (status) {
    case PRESENCE_OTHER:
        return "another resolver answered";
    case PRESENCE_NONE:
        return "the resolver that it asked did not answer";
    default:
        return error_text(status);
    }
}
