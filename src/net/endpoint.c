/* SPDX-License-Identifier: Apache-2.0 */
/* "127.0.0.1:8080", "[::1]:8080", "tls://0.0.0.0:8443", "unix:/path" and the sockets behind them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "net/listener.h"

#define BACKLOG 4096

static int parse_unix(struct str path, struct endpoint *e, struct fail *f)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&e->address;

    if (path.len == 0 || path.len >= sizeof(un->sun_path))
        return fail_set(f, CODE_INVALID_ARGUMENT,
                        "listener 'unix:%.*s': the path must have 1 to %zu bytes", STR_ARG(path),
                        sizeof(un->sun_path) - 1);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.p, path.len);
    e->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    e->is_unix = true;
    return 0;
}

static int parse_host(struct str host, uint16_t port, struct endpoint *e)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&e->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&e->address;
    char text[INET6_ADDRSTRLEN];

    if (str_eq(host, STR("localhost")))
        host = STR("127.0.0.1");
    if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']') {
        host = str_make(host.p + 1, host.len - 2);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        e->address_len = sizeof(*v6);
    } else {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        e->address_len = sizeof(*v4);
    }
    if (host.len >= sizeof(text))
        return -1;
    memcpy(text, host.p, host.len);
    text[host.len] = '\0';
    if (e->address.ss_family == AF_INET6)
        return inet_pton(AF_INET6, text, &v6->sin6_addr) == 1 ? 0 : -1;
    return inet_pton(AF_INET, text, &v4->sin_addr) == 1 ? 0 : -1;
}

int endpoint_parse(const char *text, struct endpoint *out, struct fail *f)
{
    struct endpoint e = {0};
    struct str rest = str_of(text);
    uint64_t port;

    if (str_starts_with(rest, STR("unix:"))) {
        if (parse_unix(str_skip(rest, 5), &e, f) < 0)
            return -1;
        snprintf(e.text, sizeof(e.text), "%s", text);
        *out = e;
        return 0;
    }
    if (str_starts_with(rest, STR("tls://"))) {
        e.tls = true;
        rest = str_skip(rest, 6);
    }

    size_t colon = rest.len;

    while (colon > 0 && rest.p[colon - 1] != ':')
        colon--;
    if (colon == 0 || str_to_u64(str_skip(rest, colon), &port) < 0 || port > 65535 ||
        parse_host(str_first(rest, colon - 1), (uint16_t)port, &e) < 0)
        return fail_set(f, CODE_INVALID_ARGUMENT,
                        "listener '%.100s' is not of the form 127.0.0.1:8080, [::1]:8080, "
                        "tls://0.0.0.0:8443 or unix:/path",
                        text);
    snprintf(e.text, sizeof(e.text), "%s", text);
    *out = e;
    return 0;
}

uint16_t endpoint_port(const struct endpoint *e)
{
    if (e->address.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&e->address)->sin_port);
    if (e->address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&e->address)->sin6_port);
    return 0;
}

static void print(struct endpoint *e)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&e->address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&e->address;
    char host[INET6_ADDRSTRLEN] = "";
    const char *scheme = e->tls ? "tls://" : "";

    if (e->is_unix)
        return;
    if (e->address.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(e->text, sizeof(e->text), "%s[%s]:%u", scheme, host, endpoint_port(e));
    } else {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(e->text, sizeof(e->text), "%s%s:%u", scheme, host, endpoint_port(e));
    }
}

/* Unlinks what a dead server left; a live one is left alone and shows as "in use". */
static int clear_unix(const struct endpoint *e)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&e->address;
    struct stat st;

    if (lstat(un->sun_path, &st) == -1)
        return errno == ENOENT ? 0 : -1;
    if (!S_ISSOCK(st.st_mode)) {
        errno = EEXIST;
        return -1;
    }

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1)
        return -1;

    int rc = connect(fd, (const struct sockaddr *)&e->address, e->address_len);

    close(fd);
    if (rc == 0) {
        errno = EADDRINUSE;
        return -1;
    }
    return unlink(un->sun_path);
}

static int bind_unix(const struct endpoint *e, int fd)
{
    if (clear_unix(e) < 0)
        return -1;

    mode_t before = umask(0177);
    int rc = bind(fd, (const struct sockaddr *)&e->address, e->address_len);
    int error = errno;

    umask(before);
    errno = error;
    return rc;
}

static int bind_tcp(struct endpoint *e, int fd)
{
    const int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
        return -1;
    /* The port is shared between our loops only: the first socket is bound alone, so that another
     * server's port is in use and not quietly shared. */
    if (e->bound && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1)
        return -1;
    if (e->address.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1)
        return -1;
    if (bind(fd, (const struct sockaddr *)&e->address, e->address_len) == -1 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1)
        return -1;
    return getsockname(fd, (struct sockaddr *)&e->address, &e->address_len);
}

int endpoint_bind(struct endpoint *e, int *fd, struct fail *f)
{
    int s = socket(e->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (s == -1 || (e->is_unix ? bind_unix(e, s) : bind_tcp(e, s)) == -1 ||
        listen(s, BACKLOG) == -1) {
        fail_set(f, CODE_UNAVAILABLE, "cannot listen on %s: %s", e->text, strerrordesc_np(errno));
        if (s != -1)
            close(s);
        return -1;
    }
    e->bound = true;
    print(e);
    *fd = s;
    return 0;
}
