/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/targets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_URL_SIZE = 101 };

static enum status add(struct targets *targets, const char *url, const char *name,
                       struct error *err)
{
    struct target *target;
    char shown[SHOWN_URL_SIZE];

    if (targets->count == targets->capacity) {
        size_t capacity = targets->capacity > 0 ? 2 * targets->capacity : 16;
        struct target *more = realloc(targets->of, capacity * sizeof *more);

        if (more == NULL)
            return error_sys(err, ENOMEM, "list the URLs");
        targets->of = more;
        targets->capacity = capacity;
    }
    target = &targets->of[targets->count];
    if (name != NULL)
        snprintf(target->name, sizeof target->name, "%s", name);
    else if (name_from_url(target->name, url, err) != ST_OK)
        return error_prefix(err, "'%s'", name_redact_url(shown, sizeof shown, url));
    target->url = strdup(url);
    if (target->url == NULL)
        return error_sys(err, ENOMEM, "list the URLs");
    targets->count++;
    return ST_OK;
}

static enum status add_lines(struct targets *targets, FILE *file, struct error *err)
{
    enum status st = ST_OK;
    char *line = NULL;
    size_t size = 0;

    while (st == ST_OK && getline(&line, &size, file) >= 0) {
        char *url = line + strspn(line, " \t");

        url[strcspn(url, " \t\r\n")] = '\0';
        if (*url != '\0' && *url != '#')
            st = add(targets, url, NULL, err);
    }
    if (st == ST_OK && ferror(file))
        st = error_set(err, ST_INVALID, "--input-file: cannot be read");
    free(line);
    return st;
}

static enum status add_input(struct targets *targets, const char *path,
                             struct error *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    enum status st;

    if (file == NULL)
        return error_set(err, ST_INVALID, "--input-file: '%.160s': %s", path,
                         strerrordesc_np(errno));
    st = add_lines(targets, file, err);
    if (!is_stdin)
        fclose(file);
    return st;
}

static int by_name(const void *a, const void *b)
{
    const struct target *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

static enum status refuse_twins(const struct targets *targets, struct error *err)
{
    const struct target **sorted = calloc(targets->count + 1, sizeof(void *));
    enum status st = ST_OK;

    if (sorted == NULL)
        return error_sys(err, ENOMEM, "list the URLs");
    for (size_t i = 0; i < targets->count; i++)
        sorted[i] = &targets->of[i];
    qsort(sorted, targets->count, sizeof(void *), by_name);
    for (size_t i = 1; i < targets->count && st == ST_OK; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            st = error_set(err, ST_INVALID, "two of the URLs name a file '%.160s'",
                           sorted[i]->name);
    free(sorted);
    return st;
}

enum status targets_collect(struct targets *targets, const struct fetch_config *config,
                            char *const *urls, size_t count, struct error *err)
{
    const char *name = NULL;
    enum status st = ST_OK;

    *targets = (struct targets){0};
    if (config->output != NULL) {
        const char *slash = strrchr(config->output, '/');

        name = slash != NULL ? slash + 1 : config->output;
        st = name_check(name, err);
        if (st != ST_OK)
            return error_prefix(err, "--output");
    }
    for (size_t i = 0; i < count && st == ST_OK; i++)
        st = add(targets, urls[i], name, err);
    if (st == ST_OK && config->input != NULL)
        st = add_input(targets, config->input, err);
    if (st != ST_OK)
        return st;
    if (targets->count == 0)
        return error_set(err, ST_INVALID, "no URL was given");
    if (targets->count > 1 && (name != NULL || config->checksum != NULL))
        return error_set(err, ST_INVALID, "%s goes with one URL only",
                         name != NULL ? "--output" : "--checksum");
    return refuse_twins(targets, err);
}

void targets_release(struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        free(targets->of[i].url);
    free(targets->of);
    *targets = (struct targets){0};
}
