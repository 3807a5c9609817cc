/* SPDX-License-Identifier: MIT */
#include "common/crew.h"
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { COUNT = 5 };

struct record {
    atomic_uint calls[COUNT];
    char name[COUNT][16];
};

static void note(void *context, unsigned index)
{
    struct record *record = context;

    atomic_fetch_add(&record->calls[index], 1);
    pthread_getname_np(pthread_self(), record->name[index], sizeof record->name[0]);
}

START_TEST(every_member_works_once_under_its_own_name)
{
    struct record record = {.name = {""}};
    struct crew *crew = NULL;
    struct error err;

    ck_assert_int_eq(crew_start(&crew, "commit", COUNT, note, &record, &err), ST_OK);
    crew_join(&crew);

    ck_assert_ptr_null(crew);
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_uint_eq(record.calls[i], 1);
    ck_assert_str_eq(record.name[0], "commit/0");
    ck_assert_str_eq(record.name[4], "commit/4");
}
END_TEST

START_TEST(joining_no_crew_does_nothing)
{
    struct crew *crew = NULL;

    crew_join(&crew);
    ck_assert_ptr_null(crew);
}
END_TEST

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ADDRESS_SPACE_IS_OURS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ADDRESS_SPACE_IS_OURS 0
#endif
#endif
#ifndef ADDRESS_SPACE_IS_OURS
#define ADDRESS_SPACE_IS_OURS 1
#endif

#if ADDRESS_SPACE_IS_OURS
static void must_not_run(void *context, unsigned index)
{
    (void)index;
    atomic_fetch_add((atomic_uint *)context, 1);
}

static rlim_t address_space_in_use(void)
{
    char text[128] = "";
    FILE *statm = fopen("/proc/self/statm", "r");

    ck_assert_ptr_nonnull(statm);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, statm));
    fclose(statm);
    return strtoul(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
}

START_TEST(when_a_thread_cannot_start_none_works)
{
    struct rlimit before, tight;
    struct crew *crew = NULL;
    atomic_uint calls = 0;
    struct error err;
    enum status st;

    getrlimit(RLIMIT_AS, &before);
    tight = before;
    tight.rlim_cur = address_space_in_use() + ((rlim_t)64 << 20);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &tight), 0);
    st = crew_start(&crew, "many", 500, must_not_run, &calls, &err);
    setrlimit(RLIMIT_AS, &before);

    ck_assert_int_eq(st, ST_SYSTEM);
    ck_assert_ptr_null(crew);
    ck_assert_uint_eq(calls, 0);
    ck_assert_ptr_nonnull(strstr(err.text, " of 500: "));
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("crew");
    TCase *cases = tcase_create("threads");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, every_member_works_once_under_its_own_name);
    tcase_add_test(cases, joining_no_crew_does_nothing);
#if ADDRESS_SPACE_IS_OURS
    tcase_add_test(cases, when_a_thread_cannot_start_none_works);
#endif
    return unit_run(suite);
}
