/* SPDX-License-Identifier: MIT */
/*
 * load -- PUTs one body to unique names over kept-alive connections, one per thread.
 *
 * Blocking sockets and nothing between them and the server, so that the server is what
 * is measured. The same requests go to blob-receiver (`--prefix /blobs/`) and to any
 * other server that takes PUT (`--prefix /dir/ --suffix .bin`).
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEAD_SIZE = 1024, ANSWER_SIZE = 16384 };

struct load_config {
    struct bench_config common; /* first */
    const char *address, *prefix, *suffix;
    uint64_t port;
};

struct connection {
    int fd;
    size_t have; /* bytes in answer */
    char answer[ANSWER_SIZE];
};

static struct load_config config;

static const struct option_spec specs[] = {
    BENCH_OPTIONS,
    {"address", 'a', OPTION_TEXT, offsetof(struct load_config, address), "ADDRESS",
     "127.0.0.1", .help = "IPv4 address of the server"},
    {"port", 'p', OPTION_COUNT, offsetof(struct load_config, port), "PORT", "8000",
     .min = 1, .max = 65535, .help = "port of the server"},
    {"prefix", 0, OPTION_TEXT, offsetof(struct load_config, prefix), "PATH", "/blobs/",
     .help = "what stands before the id in the path"},
    {"suffix", 0, OPTION_TEXT, offsetof(struct load_config, suffix), "TEXT", "",
     .help = "what stands after the id in the path"},
};

static const struct option_set options = {
    .program = "load",
    .env_prefix = "BENCH_LOAD",
    .about = "Load generator: PUTs the same body to unique names.",
    .specs = specs,
    .count = sizeof(specs) / sizeof(specs[0]),
};

static void connect_to_server(struct connection *connection)
{
    struct sockaddr_in server = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)config.port)};
    int one = 1;

    connection->have = 0;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, config.address, &server.sin_addr) != 1)
        bench_fail("load: '%s' is not an IPv4 address", config.address);
    if (connect(connection->fd, (struct sockaddr *)&server, sizeof(server)) != 0)
        bench_fail("load: %s:%ju: %s", config.address, (uintmax_t)config.port,
                   strerror(errno));
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static size_t format_head(char head[HEAD_SIZE], const struct bench *bench,
                          const struct uuid *id)
{
    char text[UUID_TEXT_SIZE];

    return (size_t)snprintf(head, HEAD_SIZE,
                            "PUT %s%s%s HTTP/1.1\r\n"
                            "Host: %s\r\n"
                            "Content-Type: application/octet-stream\r\n"
                            "Repr-Digest: %s\r\n"
                            "Content-Length: %ju\r\n\r\n",
                            config.prefix, uuid_format(text, id), config.suffix,
                            config.address, bench->digest,
                            (uintmax_t)config.common.size);
}

/* Head and first piece of the body leave in one system call. */
static bool send_request(const struct connection *connection, const struct bench *bench,
                         const struct uuid *id)
{
    char head[HEAD_SIZE];
    struct iovec parts[2] = {{.iov_base = head}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    uint64_t offset = 0;

    parts[0].iov_len = format_head(head, bench, id);
    while (parts[0].iov_len > 0 || offset < config.common.size) {
        const void *piece;
        ssize_t sent;
        size_t of_head;

        parts[1].iov_len = bench_body(bench, offset, &piece);
        parts[1].iov_base = (void *)(uintptr_t)piece;
        sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        of_head = (size_t)sent < parts[0].iov_len ? (size_t)sent : parts[0].iov_len;
        parts[0].iov_base = (char *)parts[0].iov_base + of_head;
        parts[0].iov_len -= of_head;
        offset += (size_t)sent - of_head;
    }
    return true;
}

/* The value of a header in the head of an answer, or NULL. */
static const char *find_header(const char *head, const char *name)
{
    const char *line = head;
    size_t n = strlen(name);

    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':')
            return line + n + 1 + strspn(line + n + 1, " ");
    }
    return NULL;
}

static bool receive_more(struct connection *connection)
{
    size_t room = ANSWER_SIZE - 1 - connection->have;
    ssize_t n = recv(connection->fd, connection->answer + connection->have, room, 0);

    if (n <= 0)
        return false;
    connection->have += (size_t)n;
    connection->answer[connection->have] = '\0';
    return true;
}

/* Reads one answer to its end. Returns its status; 0 when there was none. */
static long receive_answer(struct connection *connection, bool *closes)
{
    char *end, *body;
    const char *value;
    size_t length;
    long status;

    connection->have = 0;
    connection->answer[0] = '\0';
    while ((end = strstr(connection->answer, "\r\n\r\n")) == NULL)
        if (!receive_more(connection))
            return 0;
    end[2] = '\0';
    body = end + 4;
    status = strtol(connection->answer + strcspn(connection->answer, " "), NULL, 10);
    value = find_header(connection->answer, "Content-Length");
    length = value == NULL ? 0 : strtoul(value, NULL, 10);
    while (connection->have < (size_t)(body - connection->answer) + length)
        if (!receive_more(connection))
            return 0;
    value = find_header(connection->answer, "Connection");
    *closes = value != NULL && strncasecmp(value, "close", 5) == 0;
    return status;
}

static void work(struct bench *bench, unsigned index)
{
    struct connection connection;
    struct uuid id = {{0}};
    uint64_t began;

    connect_to_server(&connection);
    bench_ready(bench);
    while (bench_next(bench, &began)) {
        bool closes = true;
        long status;

        bench_next_id(&id);
        if (!send_request(&connection, bench, &id))
            fprintf(stderr, "load: connection %u: %s\n", index, strerror(errno));
        status = receive_answer(&connection, &closes);
        bench_done(bench, began, status == 201);
        if (status != 201)
            fprintf(stderr, "load: connection %u: answer %ld\n", index, status);
        if (closes) {
            close(connection.fd);
            connect_to_server(&connection);
        }
    }
    close(connection.fd);
}

int main(int argc, char **argv)
{
    bench_options(&options, argc, argv, &config);
    return bench_run(&config.common, work);
}
