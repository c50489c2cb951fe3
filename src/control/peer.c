/* SPDX-License-Identifier: MIT */
/* Invariant: on any doubt access is denied. If the kernel does not return the groups, the peer has none. */
#include "peer.h"
#include <errno.h>
#include <sys/socket.h>

int peer_read(struct peer *out, int fd)
{
    struct ucred credentials;
    socklen_t len = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) < 0)
        return -errno;
    out->uid = credentials.uid;
    out->gid = credentials.gid;
    len = sizeof out->groups;
    out->group_count = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, out->groups, &len) < 0 ? 0 : len / sizeof *out->groups;
    return 0;
}

bool peer_may_ask(const struct peer *peer, uid_t own, gid_t group)
{
    bool may = peer->uid == 0 || peer->uid == own || peer->gid == group;
    for (size_t i = 0; !may && i < peer->group_count; i++)
        may = peer->groups[i] == group;
    return may;
}
