/* SPDX-License-Identifier: MIT */
#include "receiver/auth.h"
#include "receiver/tokens.h"
#include "scratch.h"
#include "unit.h"

#include <sodium.h>
#include <string.h>

#define WRITER "writer-0123456789"
#define READER "reader-0123456789"
#define BOTH   "both~._+/0123456=="
#define HASHED "hashed-0123456789"

static const char good_file[] =
    "# who may do what\n"
    "\n"
    "  edge-1   write " WRITER "\r\n"
    "grafana\tread\t" READER "\n"
    "admin read,write " BOTH " \n"
    "safe write sha256:"
    "0e9a0f9ed4d35cc1c3ceae8b8d4b7ffd49b6c7ce0ea1ad9c5a7a4a0e3a3b4c5d\n"
    "last write,read last-token-without-line-end";

static struct scratch scratch;
static char file[320];

static void set_up(void)
{
    ck_assert_int_ge(sodium_init(), 0);
    scratch_create(&scratch);
    snprintf(file, sizeof file, "%s/tokens", scratch.path);
}

static void tear_down(void)
{
    scratch_remove(&scratch);
}

static void write_tokens(const char *text)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static struct tokens *load(const char *text)
{
    struct tokens *tokens = NULL;
    struct error err = {.text = ""};
    enum status st;

    write_tokens(text);
    st = tokens_load(&tokens, file, &err);
    ck_assert_msg(st == ST_OK, "%s", err.text);
    return tokens;
}

static const struct {
    const char *token;
    unsigned scopes;
    const char *name;
} found[] = {
    {WRITER, TOKEN_WRITE, "edge-1"},
    {READER, TOKEN_READ, "grafana"},
    {BOTH, TOKEN_READ | TOKEN_WRITE, "admin"},
    {"last-token-without-line-end", TOKEN_READ | TOKEN_WRITE, "last"},
    {"", 0, ""},
    {"writer-012345678", 0, ""},
    {"writer-01234567890", 0, ""},
    {"Writer-0123456789", 0, ""},
    {"edge-1", 0, ""},
    {"sha256:0e9a0f9ed4d35cc1c3ceae8b8d4b7ffd49b6c7ce0ea1ad9c5a7a4a0e3a3b4c5d", 0, ""},
    {"0e9a0f9ed4d35cc1c3ceae8b8d4b7ffd49b6c7ce0ea1ad9c5a7a4a0e3a3b4c5d", 0, ""},
};

START_TEST(a_token_is_found_whole_or_not_at_all)
{
    struct tokens *tokens = load(good_file);
    char name[TOKENS_NAME_SIZE] = "";
    const char *token = found[_i].token;

    ck_assert_uint_eq(tokens_count(tokens), 5);
    ck_assert_uint_eq(tokens_find(tokens, token, strlen(token), name),
                      found[_i].scopes);
    ck_assert_str_eq(name, found[_i].name);
    tokens_destroy(&tokens);
}
END_TEST

START_TEST(a_hash_stands_for_its_token)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof hash + 1], line[128], name[TOKENS_NAME_SIZE] = "";
    struct tokens *tokens;

    crypto_hash_sha256(hash, (const unsigned char *)HASHED, strlen(HASHED));
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(line, sizeof line, "safe read sha256:%s\n", hex);
    tokens = load(line);

    ck_assert_uint_eq(tokens_find(tokens, HASHED, strlen(HASHED), name), TOKEN_READ);
    ck_assert_str_eq(name, "safe");
    ck_assert_uint_eq(tokens_find(tokens, hex, strlen(hex), name), 0);
    tokens_destroy(&tokens);
}
END_TEST

static const struct {
    const char *text, *says;
} bad_files[] = {
    {"", "no token"},
    {"# nobody\n\n", "no token"},
    {"edge " WRITER "\n", "line 1"},
    {"\nedge write\n", "line 2"},
    {"edge write " WRITER " more\n", "line 1"},
    {"edge append " WRITER "\n", "scopes"},
    {"edge read, write " WRITER "\n", "line 1"},
    {"edge write sixteen-bytes-xy\n", NULL},
    {"edge write fifteen-bytes-x\n", "shorter"},
    {"edge write with:colon-0123456789\n", "characters"},
    {"edge write ================\n", "characters"},
    {"edge write inner=equals-0123456\n", "characters"},
    {"edge write sha256:0123\n", "64 hex"},
    {"\xc3\xa9 write " WRITER "\n", "name"},
    {"a write " WRITER "\na read " READER "\n", "line 2: the name"},
    {"a write " WRITER "\nb read " WRITER "\n", "line 2: the token"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa write " WRITER,
     NULL},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa write " WRITER,
     "name"},
};

START_TEST(a_bad_line_is_named_and_not_quoted)
{
    struct tokens *tokens = NULL;
    struct error err = {.text = ""};
    enum status st;

    write_tokens(bad_files[_i].text);
    st = tokens_load(&tokens, file, &err);
    tokens_destroy(&tokens);
    if (!bad_files[_i].says) {
        ck_assert_int_eq(st, ST_OK);
        return;
    }
    ck_assert_int_eq(st, ST_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, bad_files[_i].says));
    ck_assert_ptr_nonnull(strstr(err.text, file));
    ck_assert_ptr_null(strstr(err.text, "0123"));
}
END_TEST

/* ---- the gate ---- */

static struct auth *guard(bool tokens, bool certificates)
{
    const struct auth_config config = {.token_file = tokens ? file : NULL,
                                       .client_certificates = certificates};
    struct auth *auth = NULL;
    struct error err = {.text = ""};

    write_tokens("edge write " WRITER "\ngrafana read " READER "\n");
    ck_assert_msg(auth_create(&auth, &config, &err) == ST_OK, "%s", err.text);
    return auth;
}

static void ask(struct request *request, const char *authorization)
{
    memset(request, 0, sizeof *request);
    reply_init(&request->reply);
    if (authorization)
        request->header[request->headers++] = (struct request_header){
            .name = "authorization",
            .value = authorization,
            .name_length = strlen("authorization"),
            .value_length = strlen(authorization),
        };
}

static const char *challenge(const struct request *request)
{
    for (size_t i = 0; i < request->reply.headers; i++)
        if (strcmp(request->reply.header[i].name, "WWW-Authenticate") == 0)
            return request->reply.header[i].value;
    return NULL;
}

#define REALM "Bearer realm=\"blob-receiver\""

static const struct {
    const char *authorization;
    enum auth_need need;
    int status; /* 0: let through */
    const char *client, *challenge;
} asked[] = {
    {NULL, AUTH_PUBLIC, 0, "", NULL},
    {"Bearer nonsense", AUTH_PUBLIC, 0, "", NULL},
    {NULL, AUTH_READ, 401, "", REALM},
    {NULL, AUTH_WRITE, 401, "", REALM},
    {NULL, AUTH_KNOWN, 401, "", REALM},
    {NULL, AUTH_NEVER, 403, "", NULL},
    {"Bearer " WRITER, AUTH_NEVER, 403, "", NULL},
    {"Bearer " WRITER, AUTH_WRITE, 0, "edge", NULL},
    {"bearer   " WRITER, AUTH_WRITE, 0, "edge", NULL},
    {"Bearer " READER, AUTH_READ, 0, "grafana", NULL},
    {"Bearer " READER, AUTH_KNOWN, 0, "grafana", NULL},
    {"Bearer " WRITER, AUTH_KNOWN, 0, "edge", NULL},
    {"Bearer " READER, AUTH_WRITE, 403, "grafana",
     REALM ", error=\"insufficient_scope\", scope=\"write\""},
    {"Bearer " WRITER, AUTH_READ, 403, "edge",
     REALM ", error=\"insufficient_scope\", scope=\"read\""},
    {"Bearer wrong-0123456789", AUTH_WRITE, 401, "", REALM ", error=\"invalid_token\""},
    {"Bearer", AUTH_WRITE, 401, "", REALM ", error=\"invalid_token\""},
    {"Bearer " WRITER " ", AUTH_WRITE, 401, "", REALM ", error=\"invalid_token\""},
    {"Basic " WRITER, AUTH_WRITE, 401, "", REALM},
    {"Bearer" WRITER, AUTH_WRITE, 401, "", REALM},
    {WRITER, AUTH_WRITE, 401, "", REALM},
};

START_TEST(a_token_opens_what_its_scope_says)
{
    struct auth *auth = guard(true, false);
    struct request request;

    ask(&request, asked[_i].authorization);
    ck_assert_int_eq(auth_check(auth, &request, asked[_i].need), !asked[_i].status);
    ck_assert_int_eq(request.reply.status, asked[_i].status);
    ck_assert_str_eq(request.client, asked[_i].client);
    ck_assert_pstr_eq(challenge(&request), asked[_i].challenge);
    if (asked[_i].status)
        ck_assert_ptr_null(strstr(request.reply.body, "0123456789"));
    auth_destroy(&auth);
}
END_TEST

START_TEST(with_nothing_configured_all_but_never_is_open)
{
    struct auth *auth = guard(false, false);
    struct request request;

    for (enum auth_need need = AUTH_NEVER; need <= AUTH_WRITE; need++) {
        ask(&request, NULL);
        ck_assert_int_eq(auth_check(auth, &request, need), need != AUTH_NEVER);
    }
    auth_destroy(&auth);
}
END_TEST

START_TEST(a_certificate_must_be_there_and_verified)
{
    struct request_certificate bad = {
        .sent = true, .problem = "Client certificate expired", .why = "it expired"};
    struct request_certificate good = {
        .sent = true, .verified = true, .name = "edge 7"};
    struct request_certificate none = {.sent = false};
    const struct request_certificate *given[] = {NULL, &none, &bad, &good};
    struct auth *auth = guard(false, true);
    struct request request;

    for (size_t i = 0; i < COUNT_OF(given); i++) {
        ask(&request, NULL);
        request.certificate = given[i];
        ck_assert_int_eq(auth_check(auth, &request, AUTH_WRITE), given[i] == &good);
        ck_assert_int_eq(request.reply.status, given[i] == &good ? 0 : 403);
        ck_assert_str_eq(request.client, given[i] == &good ? "edge 7" : "");
        ck_assert(auth_check(auth, &request, AUTH_PUBLIC));
    }
    auth_destroy(&auth);
}
END_TEST

START_TEST(both_proofs_are_needed_where_both_are_configured)
{
    const struct request_certificate good = {.verified = true, .name = "edge 7"};
    struct auth *auth = guard(true, true);
    struct request request;

    ask(&request, "Bearer " WRITER);
    ck_assert(!auth_check(auth, &request, AUTH_WRITE));
    ck_assert_int_eq(request.reply.status, 403);
    ask(&request, NULL);
    request.certificate = &good;
    ck_assert(!auth_check(auth, &request, AUTH_WRITE));
    ck_assert_int_eq(request.reply.status, 401);
    ask(&request, "Bearer " WRITER);
    request.certificate = &good;
    ck_assert(auth_check(auth, &request, AUTH_WRITE));
    ck_assert_str_eq(request.client, "edge");
    auth_destroy(&auth);
}
END_TEST

START_TEST(a_reload_takes_what_is_good_and_keeps_what_was)
{
    struct auth *auth = guard(true, false);
    struct request request;
    struct error err;

    write_tokens("new write brand-new-0123456789\n");
    ck_assert_int_eq(auth_reload(auth, &err), ST_OK);
    ck_assert_uint_eq(auth_tokens(auth), 1);
    ask(&request, "Bearer " WRITER);
    ck_assert(!auth_check(auth, &request, AUTH_WRITE));

    write_tokens("broken\n");
    ck_assert_int_eq(auth_reload(auth, &err), ST_CORRUPT);
    ask(&request, "Bearer brand-new-0123456789");
    ck_assert(auth_check(auth, &request, AUTH_WRITE));
    ck_assert_str_eq(request.client, "new");
    auth_destroy(&auth);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth");
    TCase *tests = tcase_create("auth");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_token_is_found_whole_or_not_at_all, 0,
                        COUNT_OF(found));
    tcase_add_test(tests, a_hash_stands_for_its_token);
    tcase_add_loop_test(tests, a_bad_line_is_named_and_not_quoted, 0,
                        COUNT_OF(bad_files));
    tcase_add_loop_test(tests, a_token_opens_what_its_scope_says, 0, COUNT_OF(asked));
    tcase_add_test(tests, with_nothing_configured_all_but_never_is_open);
    tcase_add_test(tests, a_certificate_must_be_there_and_verified);
    tcase_add_test(tests, both_proofs_are_needed_where_both_are_configured);
    tcase_add_test(tests, a_reload_takes_what_is_good_and_keeps_what_was);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
