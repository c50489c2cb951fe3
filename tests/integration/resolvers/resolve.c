/* SPDX-License-Identifier: MIT */
/* Resolves each name with getaddrinfo; one line for each address, "NAME ADDRESS", or "NAME error TEXT". */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void resolve(const char *name)
{
    char text[128];
    struct addrinfo hints, *found = NULL;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    int status = getaddrinfo(name, NULL, &hints, &found);
    if (status != 0) {
        printf("%s error %s\n", name, gai_strerror(status));
        return;
    }
    for (const struct addrinfo *one = found; one; one = one->ai_next)
        if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
            printf("%s %s\n", name, text);
    freeaddrinfo(found);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        resolve(argv[i]);
    return 0;
}
