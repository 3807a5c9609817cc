/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/state.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static struct state state, again;
static char text[STATE_TEXT_MAX], sealed[FUZZ_INPUT_MAX + 128];

static void require_sense(const struct extents *extents, uint64_t total)
{
    uint64_t from = 0;

    REQUIRE(extents->count <= PIECES_EXTENTS_MAX);
    for (size_t i = 0; i < extents->count; i++) {
        REQUIRE(extents->of[i].first >= from);
        REQUIRE(extents->of[i].end > extents->of[i].first);
        REQUIRE(extents->of[i].end <= total);
        from = extents->of[i].end;
    }
}

/* What was read makes sense, and reads the same when written again. */
static void check(const char *data, size_t size)
{
    struct error err;
    size_t n;

    if (state_decode(data, size, &state, &err) != ST_OK)
        return;
    require_sense(&state.synced, state.total);
    require_sense(&state.written, state.total);
    REQUIRE(strlen(state.url) < sizeof(state.url));
    REQUIRE(strlen(state.validators.etag) < sizeof(state.validators.etag));
    REQUIRE(state_encode(&state, text, &n, &err) == ST_OK);
    REQUIRE(state_decode(text, n, &again, &err) == ST_OK);
    REQUIRE(state.total == again.total && state.inode == again.inode);
    REQUIRE(strcmp(state.url, again.url) == 0);
    REQUIRE(state.synced.count == again.synced.count);
    REQUIRE(memcmp(state.written.of, again.written.of,
                   state.written.count * sizeof(state.written.of[0])) == 0);
}

/* A fuzzer would not guess a digest: the input is tried as it is, and sealed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sha256_digest digest;
    struct sha256 *sha = NULL;
    struct error err;
    char hex[SHA256_HEX_SIZE];
    int n;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    check((const char *)data, size);
    REQUIRE(sha256_create(&sha, &err) == ST_OK);
    sha256_update(sha, data, size);
    REQUIRE(sha256_finish(sha, &digest, &err) == ST_OK);
    sha256_destroy(&sha);
    memcpy(sealed, data, size);
    n = snprintf(sealed + size, sizeof(sealed) - size, "sha256 %s\n",
                 sha256_to_hex(hex, &digest));
    check(sealed, size + (size_t)n);
    return 0;
}
