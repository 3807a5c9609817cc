/* SPDX-License-Identifier: MIT */
#include "sender/upload/filter.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static bool matches(const char *pattern, const char *path, const char *name)
{
    const char *slash = strchr(pattern, '/');

    if (!slash || !slash[1])
        return fnmatch(pattern, name, FNM_PATHNAME) == 0;
    return fnmatch(pattern + (*pattern == '/'), path, FNM_PATHNAME) == 0;
}

static bool matches_any(const char *const *patterns, size_t count, const char *path,
                        const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (matches(patterns[i], path, name))
            return true;
    }
    return false;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

bool filter_excludes(const struct filter *filter, const char *path)
{
    return matches_any(filter->excludes, filter->exclude_count, path, name_of(path));
}

/* With a slash at its end only patterns that have one match it. */
static bool excludes_directory(const struct filter *filter, const char *path)
{
    char slashed[PATH_MAX + 1];

    snprintf(slashed, sizeof slashed, "%s/", path);
    return matches_any(filter->excludes, filter->exclude_count, slashed,
                       slashed + (name_of(path) - path));
}

bool filter_wants(const struct filter *filter, const char *path, bool is_directory)
{
    if (is_directory)
        return !excludes_directory(filter, path);
    return filter->include_count == 0 ||
           matches_any(filter->includes, filter->include_count, path, name_of(path));
}
