/* SPDX-License-Identifier: MIT */
/* The least that a UDP server must do: receives in batches, flips the QR bit, sends in batches. No server that
 * answers over UDP with these two system calls can cost less.
 *
 *     floor_udp PORT
 */
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, ROOM = 2048 };

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = 4 << 20;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address)) {
        perror("floor_udp");
        exit(1);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return fd;
}

static void echo(int fd)
{
    static uint8_t rooms[BATCH][ROOM];
    static struct sockaddr_in peers[BATCH];
    static struct iovec parts[BATCH];
    static struct mmsghdr messages[BATCH];
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){rooms[i], ROOM};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &peers[i], .msg_namelen = sizeof peers[i], .msg_iov = &parts[i], .msg_iovlen = 1};
    }
    for (;;) {
        int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < count; i++) {
            rooms[i][2] |= 0x80;
            parts[i].iov_len = messages[i].msg_len;
        }
        for (int sent = 0, done; sent < count; sent += done) {
            if ((done = sendmmsg(fd, messages + sent, (unsigned)(count - sent), 0)) <= 0)
                done = 1;
        }
        for (int i = 0; i < count; i++)
            parts[i].iov_len = ROOM;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: floor_udp PORT\n", stderr);
        return 2;
    }
    echo(listen_on((uint16_t)atoi(argv[1])));
}
