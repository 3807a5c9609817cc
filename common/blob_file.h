/* SPDX-License-Identifier: MIT */
/*
 * blob_file -- one blob at rest: a plain file and what must not be lost about it.
 *
 * `<uuid>.bin` holds exactly the payload. Extended attributes hold the rest, set before
 * the file has a name, so data and description appear together:
 *     user.blob.sha256   64 hex digits
 *     user.blob.type     media type; absent: application/octet-stream
 * The receiver's store and the sender's spool both use this format.
 *
 * Threads: functions on values; a descriptor belongs to its caller.
 */
#ifndef COMMON_BLOB_FILE_H
#define COMMON_BLOB_FILE_H

#include "common/durable_file.h"
#include "common/sha256.h"
#include "common/uuid.h"

#include <stdbool.h>
#include <stdint.h>

#define BLOB_TYPE_INT16LE "application/vnd.blobstream.int16le"
#define BLOB_TYPE_DEFAULT "application/octet-stream"

enum { BLOB_TYPE_SIZE = 128, BLOB_FILE_NAME_SIZE = UUID_TEXT_SIZE + 4 };

struct blob_info {
    struct sha256_digest digest; /* when has_digest */
    bool has_digest;             /* false: the attribute is missing or unreadable */
    char type[BLOB_TYPE_SIZE];
    uint64_t size;
    int64_t modified_s; /* Unix time */
};

const char *blob_file_name(char out[BLOB_FILE_NAME_SIZE], const struct uuid *id);
bool blob_file_name_parse(const char *name, struct uuid *out) MUST_CHECK;

/* Sets the attributes of a file not yet published. size and modified_s are ignored. */
enum status blob_file_describe(struct durable_file *file, const struct blob_info *info,
                               struct error *err) MUST_CHECK;

/* Reads attributes, size and time. ST_INVALID when fd is not a regular file. */
enum status blob_file_inspect(int fd, struct blob_info *out,
                              struct error *err) MUST_CHECK;

/* Hashes the whole file, from its beginning, by pread. */
enum status blob_file_digest(int fd, struct sha256_digest *out,
                             struct error *err) MUST_CHECK;

/* Writes the digest attribute of a file that has none. */
enum status blob_file_remember_digest(int fd, const struct sha256_digest *digest,
                                      struct error *err) MUST_CHECK;

/* ST_OK when the file system of dir_fd keeps user attributes; else ST_REFUSED naming
 * it. Leaves nothing behind. */
enum status blob_file_probe_attributes(int dir_fd, struct error *err) MUST_CHECK;

#endif
