/* SPDX-License-Identifier: MIT */
#include "receiver/response.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_BLOCK = 128 * 1024 };

/* Part of a file, as libmicrohttpd asks for it. */
struct file_reader {
    int fd;
    uint64_t offset;
};

static ssize_t read_file(void *context, uint64_t position, char *into, size_t n)
{
    const struct file_reader *reader = context;
    ssize_t got;

    do
        got = pread(reader->fd, into, n, (off_t)(reader->offset + position));
    while (got < 0 && errno == EINTR);
    return got > 0 ? got : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void close_file(void *context)
{
    struct file_reader *reader = context;

    close(reader->fd);
    free(reader);
}

/* libmicrohttpd itself would read and encrypt 4 KiB at a time. */
static struct MHD_Response *make_encrypted_file(struct reply *reply)
{
    struct file_reader *reader = malloc(sizeof(*reader));
    struct MHD_Response *response;

    if (!reader)
        return NULL;
    reader->fd = reply->fd;
    reader->offset = reply->offset;
    response = MHD_create_response_from_callback(reply->file_length, FILE_BLOCK,
                                                 read_file, reader, close_file);
    if (response)
        reply->fd = -1;
    else
        free(reader);
    return response;
}

struct MHD_Response *response_create(struct reply *reply, bool encrypted)
{
    struct MHD_Response *response;

    if (reply->fd >= 0 && encrypted) {
        response = make_encrypted_file(reply);
    } else if (reply->fd >= 0) {
        response = MHD_create_response_from_fd_at_offset64(reply->file_length,
                                                           reply->fd, reply->offset);
        if (response)
            reply->fd = -1; /* the response closes it */
    } else if (reply->text) {
        response = MHD_create_response_from_buffer(reply->length, reply->text,
                                                   MHD_RESPMEM_MUST_FREE);
        if (response)
            reply->text = NULL;
    } else {
        response = MHD_create_response_from_buffer(reply->length, reply->body,
                                                   MHD_RESPMEM_MUST_COPY);
    }
    return response;
}
