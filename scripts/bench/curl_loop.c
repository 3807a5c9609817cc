/* SPDX-License-Identifier: MIT */
/*
 * curl_loop -- a bare loop of libcurl easy handles, one per thread, POSTing one body
 * from memory under a fresh Idempotency-Key: what blob-sender is compared with. Nothing
 * is generated, hashed, spooled, checked or tried again.
 */
#include "bench.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEADER_SIZE = 128 };

struct loop_config {
    struct bench_config common; /* first */
    const char *url;
};

static struct loop_config config;

static const struct option_spec specs[] = {
    BENCH_OPTIONS,
    {"url", 'u', OPTION_TEXT, offsetof(struct loop_config, url), "URL",
     "http://127.0.0.1:8000/blobs", .help = "where to POST"},
};

static const struct option_set options = {
    .program = "curl_loop",
    .env_prefix = "BENCH_CURL_LOOP",
    .about = "POSTs the same body again and again with libcurl easy handles.",
    .specs = specs,
    .count = sizeof(specs) / sizeof(specs[0]),
};

static size_t ignore(char *bytes, size_t size, size_t n, void *context)
{
    (void)bytes;
    (void)context;
    return size * n;
}

static struct curl_slist *append(struct curl_slist *list, const char *name,
                                 const char *value)
{
    char line[HEADER_SIZE];

    snprintf(line, sizeof(line), "%s: %s", name, value);
    list = curl_slist_append(list, line);
    if (list == NULL)
        bench_fail("curl_loop: no memory");
    return list;
}

static CURL *make_handle(const struct bench *bench)
{
    CURL *easy = curl_easy_init();

    if (easy == NULL)
        bench_fail("curl_loop: no memory");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_URL, config.url);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, bench->body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)bench->body_size);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
    return easy;
}

static bool post(CURL *easy, const struct bench *bench, const struct uuid *id)
{
    char text[UUID_TEXT_SIZE], key[UUID_TEXT_SIZE + 2];
    struct curl_slist *headers;
    long status = 0;
    CURLcode result;

    snprintf(key, sizeof(key), "\"%s\"", uuid_format(text, id));
    headers = append(NULL, "Idempotency-Key", key);
    headers = append(headers, "Repr-Digest", bench->digest);
    headers = append(headers, "Content-Type", "application/vnd.blobstream.int16le");
    headers = append(headers, "Expect", "");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    result = curl_easy_perform(easy);
    curl_slist_free_all(headers);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK || status != 201)
        fprintf(stderr, "curl_loop: %s, answer %ld\n", curl_easy_strerror(result),
                status);
    return result == CURLE_OK && status == 201;
}

static void work(struct bench *bench, unsigned index)
{
    CURL *easy = make_handle(bench);
    struct uuid id = {{0}};
    uint64_t began;

    (void)index;
    bench_ready(bench);
    while (bench_next(bench, &began)) {
        bench_next_id(&id);
        bench_done(bench, began, post(easy, bench, &id));
    }
    curl_easy_cleanup(easy);
}

int main(int argc, char **argv)
{
    bench_options(&options, argc, argv, &config);
    if (config.common.size > 16 << 20)
        bench_fail("curl_loop: --size: at most 16MiB");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        bench_fail("curl_loop: libcurl does not start");
    return bench_run(&config.common, work);
}
