/* SPDX-License-Identifier: MIT */
/* Invariants: in[in_from..in_to) was received and not yet read by GnuTLS; out[0..out_len) was encrypted and
 * not yet sent. */
#include "tls.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_ROOM = 1 << 17 };

static ssize_t pull(gnutls_transport_ptr_t context, void *data, size_t size)
{
    struct tls *tls = context;
    size_t len = tls->in_to - tls->in_from;
    if (!len) {
        gnutls_transport_set_errno(tls->session, EAGAIN);
        return -1;
    }
    if (len > size)
        len = size;
    memcpy(data, tls->in + tls->in_from, len);
    tls->in_from += len;
    return (ssize_t)len;
}

static ssize_t push(gnutls_transport_ptr_t context, const void *data, size_t len)
{
    struct tls *tls = context;
    if (tls->out_len + len > tls->out_room) {
        size_t room = (tls->out_len + len) * 2;
        uint8_t *out = realloc(tls->out, room);
        if (!out) {
            gnutls_transport_set_errno(tls->session, ENOMEM);
            return -1;
        }
        tls->out = out;
        tls->out_room = room;
    }
    memcpy(tls->out + tls->out_len, data, len);
    tls->out_len += len;
    return (ssize_t)len;
}

/* Nothing is waited for: tls_pull finds the bytes in the buffer, or fails with EAGAIN. */
static int always_ready(gnutls_transport_ptr_t context, unsigned ms)
{
    (void)context;
    (void)ms;
    return 1;
}

int tls_init(struct tls *tls, int fd, unsigned flags, gnutls_certificate_credentials_t credentials, enum tls_alpn alpn)
{
    static const char priority[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM";
    static const gnutls_datum_t protocols[] = {{(unsigned char *)"dot", 3}, {(unsigned char *)"h2", 2}};
    *tls = (struct tls){.fd = fd, .in = malloc(IN_ROOM)};
    if (!tls->in || gnutls_init(&tls->session, flags | GNUTLS_NONBLOCK) ||
        gnutls_priority_set_direct(tls->session, priority, NULL) ||
        gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, credentials) ||
        gnutls_alpn_set_protocols(tls->session, protocols + (alpn == TLS_H2), alpn == TLS_DOT_AND_H2 ? 2 : 1, 0)) {
        tls_fini(tls);
        return -1;
    }
    gnutls_transport_set_ptr(tls->session, tls);
    gnutls_transport_set_pull_function(tls->session, pull);
    gnutls_transport_set_pull_timeout_function(tls->session, always_ready);
    gnutls_transport_set_push_function(tls->session, push);
    return 0;
}

void tls_fini(struct tls *tls)
{
    if (tls->session)
        gnutls_deinit(tls->session);
    free(tls->in);
    free(tls->out);
    close(tls->fd);
    *tls = (struct tls){.fd = -1};
}

int tls_receive(struct tls *tls)
{
    memmove(tls->in, tls->in + tls->in_from, tls->in_to - tls->in_from);
    tls->in_to -= tls->in_from;
    tls->in_from = 0;
    ssize_t got = recv(tls->fd, tls->in + tls->in_to, IN_ROOM - tls->in_to, MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && errno == EAGAIN ? 0 : -1;
    tls->in_to += (size_t)got;
    return 0;
}

ssize_t tls_read(struct tls *tls, void *data, size_t size)
{
    while (tls->in_from < tls->in_to || gnutls_record_check_pending(tls->session) > 0) {
        ssize_t got = gnutls_record_recv(tls->session, data, size);
        if (got > 0)
            return got;
        if (got == 0 || (got != GNUTLS_E_AGAIN && gnutls_error_is_fatal((int)got)))
            return -1; /* otherwise it was a ticket or part of a record, and more may be buffered */
    }
    return 0;
}

int tls_write(struct tls *tls, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t sent = gnutls_record_send(tls->session, (const uint8_t *)data + done, len - done);
        if (sent <= 0)
            return -1;
        done += (size_t)sent;
    }
    return 0;
}

int tls_flush(struct tls *tls)
{
    if (!tls->out_len)
        return 0;
    ssize_t sent = send(tls->fd, tls->out, tls->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN ? 1 : -1;
    tls->out_len -= (size_t)sent;
    memmove(tls->out, tls->out + sent, tls->out_len);
    return tls->out_len != 0;
}
