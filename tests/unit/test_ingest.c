/* SPDX-License-Identifier: MIT */
#include "receiver/ingest.h"
#include "stored.h"
#include "syscall_fault.h"
#include "unit.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>

#define ID      "019aa7c2-4900-7000-8000-000000000001"
#define ABC     "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:" /* of "abc" */
#define ABC_HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct scratch scratch;
static struct store *store;
static struct jobs *jobs;
static struct space *space;
static struct committer *committer;
static struct ingest_rules rules;
static struct request request;

static void set_up(void)
{
    const struct space_config plenty = {.max_inflight_bytes = 0};
    struct error err;

    scratch_create(&scratch);
    store = stored_open(&scratch);
    ck_assert_int_eq(space_create(&space, store, &plenty, &err), ST_OK);
    ck_assert_int_eq(jobs_start(&jobs, "commit", 2, &err), ST_OK);
    ck_assert_int_eq(
        committer_create(&committer, store, DURABILITY_RELAXED, jobs, &err), ST_OK);
    rules = (struct ingest_rules){.digest = DIGEST_REQUIRED, .max_blob_bytes = 1000};
    upload_init(&request);
}

static void tear_down(void)
{
    jobs_stop(&jobs);
    committer_destroy(&committer);
    space_destroy(&space);
    store_close(&store);
    reply_release(&request.reply);
    scratch_remove(&scratch);
}

static void post(struct commit *commit)
{
    sem_post(commit->owner);
}

static void commit(struct commit *commit)
{
    sem_t finished;

    sem_init(&finished, 0, 0);
    commit->done = post;
    /* cppcheck-suppress autoVariables ; it is waited for below */
    commit->owner = &finished;
    committer_submit(committer, commit);
    while (sem_wait(&finished) != 0)
        continue;
    sem_destroy(&finished);
}

static enum ingest_next begin(struct ingest **ingest, struct request *of)
{
    return ingest_begin(ingest, store, space, &rules, NULL, of);
}

/* The whole way of an upload whose head is in `request`. Returns the status. */
static int upload(const char *name, const char *body, size_t n)
{
    struct ingest *ingest = NULL;
    struct uuid id = name ? stored_id(name) : (struct uuid){{0}};
    enum ingest_next next;
    bool good = true;

    request.reply.status = 0;
    next = ingest_begin(&ingest, store, space, &rules, name ? &id : NULL, &request);
    if (next == INGEST_BODY) {
        for (size_t i = 0; good && i < n; i++)
            good = ingest_body(ingest, &request, body + i, 1);
        if (good && ingest_end(ingest, &request) == INGEST_COMMIT) {
            commit(ingest_commit(ingest));
            ingest_result(ingest, &request);
        }
    }
    ck_assert_msg(request.reply.status != 0, "no reply");
    ck_assert(ingest != NULL);
    if (request.reply.status < 300)
        ck_assert_uint_eq(ingest_received(ingest), n);
    ingest_destroy(&ingest);
    return request.reply.status;
}

static void sized(const char *body)
{
    request.has_length = true;
    request.length = strlen(body);
}

/* A POST of "abc" under ID, as it should be. */
static void head_of_abc(void)
{
    upload_init(&request);
    sized("abc");
    upload_header(&request, "Repr-Digest", ABC);
    upload_header(&request, "Idempotency-Key", "\"" ID "\"");
}

START_TEST(a_new_blob_is_created)
{
    struct uuid id = stored_id(ID);

    head_of_abc();
    ck_assert_int_eq(upload(NULL, "abc", 3), 201);

    ck_assert_pstr_eq(upload_reply_header(&request, "Location"), "/blobs/" ID);
    ck_assert_pstr_eq(upload_reply_header(&request, "ETag"), "\"" ABC_HEX "\"");
    ck_assert_pstr_eq(upload_reply_header(&request, "Repr-Digest"), ABC);
    ck_assert_pstr_eq(upload_reply_header(&request, "Content-Type"),
                      "application/json");
    ck_assert_str_eq(request.reply.body,
                     "{\"id\":\"" ID "\",\"size\":3,\"sha256\":\"" ABC_HEX "\"}\n");
    ck_assert(stored_has(store, &id, "abc"));
}
END_TEST

START_TEST(the_same_again_is_acknowledged_and_writes_nothing)
{
    head_of_abc();
    ck_assert_int_eq(upload(NULL, "abc", 3), 201);
    head_of_abc();
    ck_assert_int_eq(upload(NULL, "abc", 3), 200);
    ck_assert_pstr_eq(upload_reply_header(&request, "Location"), "/blobs/" ID);
    ck_assert_pstr_eq(upload_reply_header(&request, "Repr-Digest"), ABC);

    upload_init(&request);
    sized("abc");
    upload_header(&request, "X-SHA256", ABC_HEX);
    ck_assert_int_eq(upload(ID, "abc", 3), 200);
    ck_assert_uint_eq(stored_count(store), 1);
}
END_TEST

START_TEST(a_post_without_a_key_gets_a_new_id_each_time)
{
    for (size_t i = 1; i <= 3; i++) {
        upload_init(&request);
        sized("abc");
        upload_header(&request, "X-SHA256", ABC_HEX);
        ck_assert_int_eq(upload(NULL, "abc", 3), 201);
        ck_assert_uint_eq(stored_count(store), i);
    }
}
END_TEST

START_TEST(an_empty_blob_is_a_blob)
{
    struct uuid id = stored_id(ID);

    rules.digest = DIGEST_OPTIONAL;
    sized("");
    ck_assert_int_eq(upload(ID, "", 0), 201);
    ck_assert(stored_has(store, &id, ""));
}
END_TEST

START_TEST(a_chunked_blob_may_end_with_its_digest)
{
    request.chunked = true;
    upload_header(&request, "Trailer", "Repr-Digest");
    upload_trailer(&request, "Repr-Digest", ABC);
    ck_assert_int_eq(upload(ID, "abc", 3), 201);
}
END_TEST

static const struct {
    const char *sent, *kept;
} types[] = {
    {"text/plain; charset=utf-8", "text/plain; charset=utf-8"},
    {BLOB_TYPE_INT16LE, BLOB_TYPE_INT16LE},
    {"", BLOB_TYPE_DEFAULT},
    {NULL, BLOB_TYPE_DEFAULT},
};

START_TEST(the_media_type_is_kept)
{
    struct uuid id = stored_id(ID);
    struct blob_info info;
    struct error err;
    int fd;

    rules.digest = DIGEST_OPTIONAL;
    sized("abcd");
    if (types[_i].sent)
        upload_header(&request, "Content-Type", types[_i].sent);
    ck_assert_int_eq(upload(ID, "abcd", 4), 201);
    ck_assert_int_eq(store_find(store, &id, &fd, &info, &err), ST_OK);
    close(fd);
    ck_assert_str_eq(info.type, types[_i].kept);
}
END_TEST

/* ---- refusals: nothing is stored ---- */

#define LONG_TYPE                                                                      \
    "text/0123456789012345678901234567890123456789012345678901234567890123456789"      \
    "01234567890123456789012345678901234567890123456789012345678"

static const struct {
    const char *line[2][2];
    const char *body;
    int status;
    const char *reason;
} refused[] = {
    {{{"X-SHA256", ABC_HEX}}, "abd", 400, "Digest mismatch"},
    {{{"Repr-Digest", ABC}}, "", 400, "Digest mismatch"},
    {{{"Repr-Digest", ABC}, {"X-SHA256", "abc"}}, "abc", 400, "Invalid digest"},
    {{{"Repr-Digest", "md5=:AAAA:"}}, "abc", 400, "Unsupported digest algorithm"},
    {{{"Accept", "*/*"}}, "abc", 400, "Digest required"},
    {{{"X-SHA256", ABC_HEX}, {"Content-Type", BLOB_TYPE_INT16LE}},
     "abc",
     400,
     "Odd length"},
    {{{"X-SHA256", ABC_HEX},
      {"Content-Type", "Application/VND.blobstream.int16LE; rate=48000"}},
     "abc",
     400,
     "Odd length"},
    {{{"X-SHA256", ABC_HEX}, {"Idempotency-Key", ID}},
     "abc",
     400,
     "Invalid Idempotency-Key"},
    {{{"X-SHA256", ABC_HEX}, {"Idempotency-Key", "\"../../etc/passwd\""}},
     "abc",
     400,
     "Invalid Idempotency-Key"},
    {{{"X-SHA256", ABC_HEX}, {"Idempotency-Key", "\"" ID "x\""}},
     "abc",
     400,
     "Invalid Idempotency-Key"},
    {{{"X-SHA256", ABC_HEX}, {"Idempotency-Key", ""}},
     "abc",
     400,
     "Invalid Idempotency-Key"},
    {{{"X-SHA256", ABC_HEX}, {"Content-Encoding", "gzip"}},
     "abc",
     415,
     "Content-Encoding not supported"},
    {{{"X-SHA256", ABC_HEX}, {"Content-Encoding", "identity, gzip"}},
     "abc",
     415,
     "Content-Encoding not supported"},
    {{{"Content-Encoding", "identity"}, {"Content-Encoding", "gzip"}},
     "abc",
     415,
     "Content-Encoding not supported"},
    {{{"X-SHA256", ABC_HEX}, {"Content-Type", LONG_TYPE}},
     "abc",
     415,
     "Content-Type too long"},
};

START_TEST(a_refused_upload_leaves_no_trace)
{
    sized(refused[_i].body);
    for (size_t i = 0; i < 2 && refused[_i].line[i][0]; i++)
        upload_header(&request, refused[_i].line[i][0], refused[_i].line[i][1]);

    ck_assert_int_eq(upload(NULL, refused[_i].body, strlen(refused[_i].body)),
                     refused[_i].status);
    ck_assert_str_eq(request.reply.reason, refused[_i].reason);
    ck_assert_uint_eq(stored_count(store), 0);
}
END_TEST

START_TEST(a_body_of_unknown_length_is_refused)
{
    upload_header(&request, "X-SHA256", ABC_HEX);
    ck_assert_int_eq(upload(NULL, "abc", 3), 411);
}
END_TEST

START_TEST(an_unencoded_body_may_say_so)
{
    head_of_abc();
    upload_header(&request, "Content-Encoding", "Identity");
    ck_assert_int_eq(upload(NULL, "abc", 3), 201);
}
END_TEST

static const struct {
    bool chunked;
    size_t bytes;
    int status;
} sizes[] = {
    {false, 1000, 201},
    {false, 1001, 413},
    {true, 1000, 201},
    {true, 1001, 413},
};

START_TEST(a_blob_may_be_as_large_as_the_limit)
{
    static const char body[2000];

    rules.digest = DIGEST_OPTIONAL;
    request.chunked = sizes[_i].chunked;
    request.has_length = !sizes[_i].chunked;
    request.length = request.has_length ? sizes[_i].bytes : 0;
    ck_assert_int_eq(upload(NULL, body, sizes[_i].bytes), sizes[_i].status);
    ck_assert_uint_eq(stored_count(store), sizes[_i].status == 201 ? 1 : 0);
}
END_TEST

static const struct {
    enum digest_policy policy;
    const char *claim;
    int status;
} policies[] = {
    {DIGEST_REQUIRED, NULL, 400},  {DIGEST_REQUIRED, "00", 400},
    {DIGEST_OPTIONAL, NULL, 201},  {DIGEST_OPTIONAL, "00", 400},
    {DIGEST_IGNORE, NULL, 201},    {DIGEST_IGNORE, "00", 201},
    {DIGEST_IGNORE, ABC_HEX, 201},
};

START_TEST(the_operator_says_how_digests_are_taken)
{
    rules.digest = policies[_i].policy;
    sized("abd");
    if (policies[_i].claim)
        upload_header(&request, "X-SHA256", policies[_i].claim);
    ck_assert_int_eq(upload(NULL, "abd", 3), policies[_i].status);
}
END_TEST

/* ---- an id that is taken ---- */

START_TEST(another_blob_under_a_taken_id_is_refused_at_its_head)
{
    struct uuid id = stored_id(ID);
    struct ingest *ingest = NULL;

    stored_put(store, ID, "first");
    head_of_abc();
    ck_assert_int_eq(begin(&ingest, &request), INGEST_REPLY);
    ck_assert_int_eq(request.reply.status, 409);
    ck_assert_int_eq(uuid_compare(ingest_id(ingest), &id), 0);
    ingest_destroy(&ingest);
    ck_assert(stored_has(store, &id, "first"));
}
END_TEST

START_TEST(another_blob_without_a_claim_is_refused_at_its_end)
{
    struct uuid id = stored_id(ID);

    stored_put(store, ID, "first");
    rules.digest = DIGEST_OPTIONAL;
    sized("abc");
    ck_assert_int_eq(upload(ID, "abc", 3), 409);
    ck_assert(stored_has(store, &id, "first"));
}
END_TEST

START_TEST(a_damaged_resend_is_told_apart_from_a_conflict)
{
    stored_put(store, ID, "abc");
    head_of_abc();
    ck_assert_int_eq(upload(NULL, "abd", 3), 400);
    ck_assert_str_eq(request.reply.reason, "Digest mismatch");
}
END_TEST

START_TEST(an_upload_that_must_create_does_not_find)
{
    head_of_abc();
    upload_header(&request, "If-None-Match", "*");
    ck_assert_int_eq(upload(NULL, "abc", 3), 201);
    head_of_abc();
    upload_header(&request, "If-None-Match", "*");
    ck_assert_int_eq(upload(NULL, "abc", 3), 412);
    ck_assert_uint_eq(stored_count(store), 1);
}
END_TEST

/* Both begin before the first is stored. */
START_TEST(of_two_uploads_at_once_one_creates)
{
    struct ingest *ingest[2] = {NULL, NULL};
    struct request second;
    struct request *of[2] = {&request, &second};

    head_of_abc();
    if (_i == 1)
        upload_header(&request, "If-None-Match", "*");
    second = request;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(begin(&ingest[i], of[i]), INGEST_BODY);
        ck_assert(ingest_body(ingest[i], of[i], "abc", 3));
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(ingest_end(ingest[i], of[i]), INGEST_COMMIT);
        commit(ingest_commit(ingest[i]));
        ingest_result(ingest[i], of[i]);
        ingest_destroy(&ingest[i]);
    }
    ck_assert_int_eq(request.reply.status, 201);
    ck_assert_int_eq(second.reply.status, _i == 1 ? 412 : 200);
    ck_assert_uint_eq(stored_count(store), 1);
}
END_TEST

START_TEST(an_upload_that_is_dropped_leaves_nothing)
{
    struct ingest *ingest = NULL;

    head_of_abc();
    ck_assert_int_eq(begin(&ingest, &request), INGEST_BODY);
    ck_assert(ingest_body(ingest, &request, "ab", 2));
    if (_i == 1) {
        ck_assert(ingest_body(ingest, &request, "c", 1));
        ck_assert_int_eq(ingest_end(ingest, &request), INGEST_COMMIT);
    }
    ingest_destroy(&ingest);
    ck_assert_ptr_null(ingest);
    ck_assert_uint_eq(stored_count(store), 0);
}
END_TEST

/* ---- what a commit that fails becomes ---- */

static const struct {
    enum status result;
    int sys, status;
    bool retry;
} failures[] = {
    {ST_SYSTEM, EIO, 500, false},    {ST_SYSTEM, EROFS, 500, false},
    {ST_SYSTEM, ENOSPC, 507, false}, {ST_SYSTEM, EDQUOT, 507, false},
    {ST_SYSTEM, EMFILE, 503, true},  {ST_SYSTEM, ENOMEM, 503, true},
    {ST_AGAIN, 0, 503, true},        {ST_CLOSED, 0, 503, true},
    {ST_INVALID, 0, 500, false},     {ST_REFUSED, 0, 409, false},
};

START_TEST(a_failed_commit_is_never_acknowledged)
{
    struct ingest *ingest = NULL;
    struct commit *job;

    head_of_abc();
    ck_assert_int_eq(begin(&ingest, &request), INGEST_BODY);
    ck_assert(ingest_body(ingest, &request, "abc", 3));
    ck_assert_int_eq(ingest_end(ingest, &request), INGEST_COMMIT);
    job = ingest_commit(ingest);
    job->result = failures[_i].result;
    if (failures[_i].sys != 0)
        (void)error_sys(&job->error, failures[_i].sys, "sync");
    else
        (void)error_set(&job->error, failures[_i].result, "why");
    ingest_result(ingest, &request);

    ck_assert_int_eq(request.reply.status, failures[_i].status);
    ck_assert_int_eq(upload_reply_header(&request, "Retry-After") != NULL,
                     failures[_i].retry);
    ck_assert_ptr_null(upload_reply_header(&request, "Repr-Digest"));
    ingest_destroy(&ingest);
}
END_TEST

/* ---- disks that are full or fail ---- */

static const struct {
    struct space_config config;
    int status;
} crowded[] = {
    {{.min_free_bytes = INT64_MAX}, 507},
    {{.max_inflight_bytes = 3}, 503},
};

START_TEST(an_upload_without_room_is_refused_at_its_head)
{
    struct ingest *first = NULL, *second = NULL;
    struct request other;
    struct error err;

    space_destroy(&space);
    ck_assert_int_eq(space_create(&space, store, &crowded[_i].config, &err), ST_OK);
    head_of_abc();
    other = request;
    (void)begin(&first, &other);
    ck_assert_int_eq(begin(&second, &request), INGEST_REPLY);
    ck_assert_int_eq(request.reply.status, crowded[_i].status);
    ingest_destroy(&second);
    ingest_destroy(&first);

    head_of_abc(); /* an upload that ended gave its room back */
    ck_assert_int_eq(upload(NULL, "abc", 3), crowded[_i].status == 503 ? 201 : 507);
}
END_TEST

static int write_on_a_full_disk(void)
{
    struct ingest *ingest = NULL;

    head_of_abc();
    if (begin(&ingest, &request) != INGEST_BODY)
        return 1;
    if (ingest_body(ingest, &request, "abc", 3))
        return 2;
    ingest_destroy(&ingest);
    return request.reply.status == 507 && stored_count(store) == 0 ? 0 : 3;
}

static int open_on_a_full_disk(void)
{
    struct ingest *ingest = NULL;

    head_of_abc();
    if (begin(&ingest, &request) != INGEST_REPLY)
        return 1;
    ingest_destroy(&ingest);
    return request.reply.status == 507 ? 0 : 2;
}

static int describe_on_a_full_disk(void)
{
    struct ingest *ingest = NULL;

    head_of_abc();
    if (begin(&ingest, &request) != INGEST_BODY ||
        !ingest_body(ingest, &request, "abc", 3))
        return 1;
    if (ingest_end(ingest, &request) != INGEST_REPLY)
        return 2;
    ingest_destroy(&ingest);
    return request.reply.status == 507 && stored_count(store) == 0 ? 0 : 3;
}

static const struct {
    struct syscall_fault fault;
    int (*body)(void);
} full_disks[] = {
    {{.number = SYS_write, .sys = ENOSPC}, write_on_a_full_disk},
    {{.number = SYS_openat, .argument = 2, .mask = O_TMPFILE, .sys = ENOSPC},
     open_on_a_full_disk},
    {{.number = SYS_fsetxattr, .sys = ENOSPC}, describe_on_a_full_disk},
};

START_TEST(a_full_disk_is_told_to_the_client)
{
    syscall_fault_run(&full_disks[_i].fault, full_disks[_i].body);
}
END_TEST

static TCase *upload_cases(void)
{
    TCase *cases = tcase_create("uploads");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_new_blob_is_created);
    tcase_add_test(cases, the_same_again_is_acknowledged_and_writes_nothing);
    tcase_add_test(cases, a_post_without_a_key_gets_a_new_id_each_time);
    tcase_add_test(cases, an_empty_blob_is_a_blob);
    tcase_add_test(cases, a_chunked_blob_may_end_with_its_digest);
    tcase_add_loop_test(cases, the_media_type_is_kept, 0, COUNT_OF(types));
    tcase_add_test(cases, an_unencoded_body_may_say_so);
    tcase_add_loop_test(cases, a_blob_may_be_as_large_as_the_limit, 0, COUNT_OF(sizes));
    tcase_add_loop_test(cases, the_operator_says_how_digests_are_taken, 0,
                        COUNT_OF(policies));
    tcase_add_test(cases, an_upload_that_must_create_does_not_find);
    tcase_add_loop_test(cases, of_two_uploads_at_once_one_creates, 0, 2);
    return cases;
}

static TCase *refusal_cases(void)
{
    TCase *cases = tcase_create("refusals");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, a_refused_upload_leaves_no_trace, 0, COUNT_OF(refused));
    tcase_add_test(cases, a_body_of_unknown_length_is_refused);
    tcase_add_test(cases, another_blob_under_a_taken_id_is_refused_at_its_head);
    tcase_add_test(cases, another_blob_without_a_claim_is_refused_at_its_end);
    tcase_add_test(cases, a_damaged_resend_is_told_apart_from_a_conflict);
    tcase_add_loop_test(cases, an_upload_that_is_dropped_leaves_nothing, 0, 2);
    tcase_add_loop_test(cases, a_failed_commit_is_never_acknowledged, 0,
                        COUNT_OF(failures));
    tcase_add_loop_test(cases, an_upload_without_room_is_refused_at_its_head, 0,
                        COUNT_OF(crowded));
    tcase_add_loop_test(cases, a_full_disk_is_told_to_the_client, 0,
                        COUNT_OF(full_disks));
    return cases;
}

int main(void)
{
    Suite *suite = suite_create("ingest");

    suite_add_tcase(suite, upload_cases());
    suite_add_tcase(suite, refusal_cases());
    return unit_run(suite);
}
