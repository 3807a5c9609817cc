/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/state.h"

#include "receiver/fetch/name.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char heading[] = "blobstream-fetch 1\n";
static const char seal[] = "sha256 ";

enum {
    SEAL_SIZE = sizeof seal - 1 + SHA256_HEX_SIZE, /* with its newline */
    FILE_NAME_SIZE = NAME_SIZE + 32,
};

static enum status digest_text(const char *text, size_t n, struct sha256_digest *out,
                               struct error *err)
{
    struct sha256 *sha = NULL;
    enum status st = sha256_create(&sha, err);

    if (st != ST_OK)
        return st;
    sha256_update(sha, text, n);
    st = sha256_finish(sha, out, err);
    sha256_destroy(&sha);
    return st;
}

/* The digest covers the query, which may select the file, but no user or password. */
enum status state_set_url(struct state *state, const char *url, struct error *err)
{
    const char *query = url + strcspn(url, "?#");
    char *whole;
    enum status st;
    int n;

    name_redact_url(state->url, sizeof state->url, url);
    n = asprintf(&whole, "%s%.*s", state->url, (int)strcspn(query, "#"), query);
    if (n < 0)
        return error_sys(err, ENOMEM, "remember the URL");
    st = digest_text(whole, (size_t)n, &state->url_digest, err);
    free(whole);
    return st;
}

void state_set_boot(struct state *state)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;

    if (fd >= 0) {
        n = read(fd, state->boot, sizeof state->boot - 1);
        close(fd);
    }
    state->boot[n > 0 ? n : 0] = '\0';
    state->boot[strcspn(state->boot, "\n")] = '\0';
}

bool state_same_source(const struct state *earlier, const struct state *now)
{
    const struct validators *v = &earlier->validators;

    if (sha256_equal(&earlier->url_digest, &now->url_digest))
        return true;
    return strcmp(earlier->url, now->url) == 0 && (v->etag[0] == '"' || v->has_digest);
}

const struct extents *state_missing(const struct state *state, const char *boot_now)
{
    if (boot_now[0] != '\0' && strcmp(state->boot, boot_now) == 0)
        return &state->written;
    return &state->synced;
}

struct writer {
    char *text;
    size_t length;
};

static void PRINTF_LIKE(2, 3) put(struct writer *w, const char *format, ...)
{
    size_t room = STATE_TEXT_MAX - w->length;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(w->text + w->length, room, format, args);
    va_end(args);
    if (n > 0)
        w->length += (size_t)n < room ? (size_t)n : room - 1;
}

static void put_extents(struct writer *w, const char *key, const struct extents *e)
{
    put(w, "%s", key);
    for (size_t i = 0; i < e->count; i++)
        put(w, " %" PRIu64 "-%" PRIu64, e->of[i].first, e->of[i].end);
    put(w, "\n");
}

enum status state_encode(const struct state *s, char out[STATE_TEXT_MAX], size_t *n,
                         struct error *err)
{
    struct writer w = {.text = out};
    const struct validators *v = &s->validators;
    char hex[SHA256_HEX_SIZE];
    struct sha256_digest digest;
    enum status st;

    put(&w, "%s", heading);
    put(&w, "url %s\n", s->url);
    put(&w, "url-sha256 %s\n", sha256_to_hex(hex, &s->url_digest));
    if (v->etag[0] != '\0')
        put(&w, "etag %s\n", v->etag);
    if (v->modified[0] != '\0')
        put(&w, "modified%s %s\n", v->modified_strong ? "-strong" : "", v->modified);
    if (v->has_digest)
        put(&w, "repr-sha256 %s\n", sha256_to_hex(hex, &v->digest));
    put(&w, "total %" PRIu64 "\n", s->total);
    put(&w, "inode %" PRIu64 "\n", s->inode);
    put(&w, "boot %s\n", s->boot);
    put_extents(&w, "synced", &s->synced);
    put_extents(&w, "written", &s->written);
    st = digest_text(w.text, w.length, &digest, err);
    if (st != ST_OK)
        return st;
    put(&w, "%s%s\n", seal, sha256_to_hex(hex, &digest));
    *n = w.length;
    return ST_OK;
}

/* One line without its newline, split at the first blank. */
struct entry {
    const char *key, *value;
    size_t key_length, value_length;
};

static bool next_entry(const char **at, const char *end, struct entry *out)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    const char *blank;

    if (stop == NULL)
        return false;
    blank = memchr(*at, ' ', (size_t)(stop - *at));
    out->key = *at;
    out->key_length = (size_t)((blank != NULL ? blank : stop) - *at);
    out->value = blank != NULL ? blank + 1 : stop;
    out->value_length = (size_t)(stop - out->value);
    *at = stop + 1;
    return true;
}

static bool is_key(const struct entry *e, const char *key)
{
    return e->key_length == strlen(key) && memcmp(e->key, key, e->key_length) == 0;
}

static bool copy_value(const struct entry *e, char *out, size_t size)
{
    if (e->value_length >= size || memchr(e->value, '\0', e->value_length) != NULL)
        return false;
    memcpy(out, e->value, e->value_length);
    out[e->value_length] = '\0';
    return true;
}

static bool parse_number(const char **at, const char *end, uint64_t *out)
{
    const char *start = *at;
    uint64_t n = 0;

    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        unsigned digit = (unsigned)(**at - '0');

        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return *at > start;
}

static bool parse_value_number(const struct entry *e, uint64_t *out)
{
    const char *at = e->value, *end = e->value + e->value_length;

    return parse_number(&at, end, out) && at == end;
}

static bool parse_extents(const struct entry *e, struct extents *out)
{
    const char *at = e->value, *end = e->value + e->value_length;

    out->count = 0;
    while (at < end) {
        struct extent *x = &out->of[out->count];

        if (out->count == PIECES_EXTENTS_MAX || !parse_number(&at, end, &x->first) ||
            at == end || *at++ != '-' || !parse_number(&at, end, &x->end))
            return false;
        if (at < end && *at++ != ' ')
            return false;
        out->count++;
    }
    return true;
}

static bool extents_make_sense(const struct extents *e, uint64_t total)
{
    uint64_t from = 0;

    for (size_t i = 0; i < e->count; i++) {
        if (e->of[i].first < from || e->of[i].first >= e->of[i].end ||
            e->of[i].end > total)
            return false;
        from = e->of[i].end;
    }
    return true;
}

static bool parse_entry(const struct entry *e, struct state *s)
{
    struct validators *v = &s->validators;

    if (is_key(e, "url"))
        return copy_value(e, s->url, sizeof s->url);
    if (is_key(e, "url-sha256"))
        return sha256_from_hex(e->value, e->value_length, &s->url_digest);
    if (is_key(e, "etag"))
        return copy_value(e, v->etag, sizeof v->etag);
    if (is_key(e, "modified") || is_key(e, "modified-strong")) {
        v->modified_strong = is_key(e, "modified-strong");
        return copy_value(e, v->modified, sizeof v->modified);
    }
    if (is_key(e, "repr-sha256")) {
        v->has_digest = true;
        return sha256_from_hex(e->value, e->value_length, &v->digest);
    }
    if (is_key(e, "total"))
        return parse_value_number(e, &s->total);
    if (is_key(e, "inode"))
        return parse_value_number(e, &s->inode);
    if (is_key(e, "boot"))
        return copy_value(e, s->boot, sizeof s->boot);
    if (is_key(e, "synced"))
        return parse_extents(e, &s->synced);
    if (is_key(e, "written"))
        return parse_extents(e, &s->written);
    return false;
}

/* Without its last line, whose digest it must have. */
static enum status check_seal(const char *text, size_t *n, struct error *err)
{
    struct sha256_digest claimed, actual;
    const char *at = text + *n - SEAL_SIZE;
    enum status st;

    if (*n < sizeof heading - 1 + SEAL_SIZE ||
        memcmp(text, heading, sizeof heading - 1) != 0 ||
        memcmp(at, seal, sizeof seal - 1) != 0 || text[*n - 1] != '\n' ||
        !sha256_from_hex(at + sizeof seal - 1, SHA256_HEX_SIZE - 1, &claimed))
        return error_set(err, ST_CORRUPT, "not a state of this program");
    *n -= SEAL_SIZE;
    st = digest_text(text, *n, &actual, err);
    if (st != ST_OK)
        return st;
    if (!sha256_equal(&claimed, &actual))
        return error_set(err, ST_CORRUPT, "damaged");
    return ST_OK;
}

enum status state_decode(const char *text, size_t n, struct state *out,
                         struct error *err)
{
    const char *at = text + sizeof heading - 1;
    struct entry entry;
    enum status st;

    if (n < SEAL_SIZE)
        return error_set(err, ST_CORRUPT, "too short");
    st = check_seal(text, &n, err);
    if (st != ST_OK)
        return st;
    *out = (struct state){0};
    while (at < text + n) {
        if (!next_entry(&at, text + n, &entry) || !parse_entry(&entry, out))
            return error_set(err, ST_CORRUPT, "malformed");
    }
    if (out->url[0] == '\0' || !extents_make_sense(&out->synced, out->total) ||
        !extents_make_sense(&out->written, out->total))
        return error_set(err, ST_CORRUPT, "it contradicts itself");
    return ST_OK;
}

enum status state_load(int dir_fd, const char *name, struct state *out,
                       struct error *err)
{
    char file[FILE_NAME_SIZE], *text = NULL;
    enum status st = ST_OK;
    ssize_t n;
    int fd;

    snprintf(file, sizeof file, "%s.part.state", name);
    fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return error_set(err, ST_END, "no state");
    if (fd < 0)
        return error_sys(err, errno, "open '%.160s'", file);
    text = malloc(STATE_TEXT_MAX);
    if (text == NULL) {
        st = error_sys(err, ENOMEM, "read '%.160s'", file);
        goto out;
    }
    n = read(fd, text, STATE_TEXT_MAX); /* a short read fails its checksum */
    if (n < 0)
        st = error_sys(err, errno, "read '%.160s'", file);
    else if (state_decode(text, (size_t)n, out, err) != ST_OK)
        st = error_prefix(err, "'%.100s'", file);
out:
    free(text);
    close(fd);
    return st;
}

static enum status write_file(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t wrote = write(fd, text, n);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return ST_SYSTEM;
        text += wrote;
        n -= (size_t)wrote;
    }
    return ST_OK;
}

enum status state_save(int dir_fd, const char *name, const struct state *state,
                       bool durable, struct error *err)
{
    char file[FILE_NAME_SIZE], fresh[FILE_NAME_SIZE], *text = malloc(STATE_TEXT_MAX);
    enum status st;
    size_t n = 0;
    int fd = -1;

    if (text == NULL)
        return error_sys(err, ENOMEM, "save the state of '%.100s'", name);
    snprintf(file, sizeof file, "%s.part.state", name);
    snprintf(fresh, sizeof fresh, "%s.part.state.new", name);
    st = state_encode(state, text, &n, err);
    if (st != ST_OK)
        goto out;
    fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                0600);
    if (fd < 0 || write_file(fd, text, n) != ST_OK || (durable && fdatasync(fd) != 0) ||
        renameat(dir_fd, fresh, dir_fd, file) != 0) {
        st = error_sys(err, errno, "save '%.160s'", file);
        if (fd >= 0)
            unlinkat(dir_fd, fresh, 0);
    }
out:
    if (fd >= 0)
        close(fd);
    free(text);
    return st;
}

bool state_exists(int dir_fd, const char *name)
{
    char file[FILE_NAME_SIZE];

    snprintf(file, sizeof file, "%s.part.state", name);
    return faccessat(dir_fd, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void state_remove(int dir_fd, const char *name)
{
    char file[FILE_NAME_SIZE];

    snprintf(file, sizeof file, "%s.part.state", name);
    unlinkat(dir_fd, file, 0);
    snprintf(file, sizeof file, "%s.part.state.new", name);
    unlinkat(dir_fd, file, 0);
}
