/* SPDX-License-Identifier: MIT */
#include "sender/upload/filter.h"

#include <fnmatch.h>
#include <string.h>

static bool matches(const char *pattern, const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!strchr(pattern, '/'))
        return fnmatch(pattern, slash ? slash + 1 : path, 0) == 0;
    return fnmatch(pattern + (*pattern == '/'), path, FNM_PATHNAME) == 0;
}

static bool matches_any(const char *const *patterns, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (matches(patterns[i], path))
            return true;
    }
    return false;
}

bool filter_wants(const struct filter *filter, const char *path, bool is_directory)
{
    if (matches_any(filter->excludes, filter->exclude_count, path))
        return false;
    return is_directory || filter->include_count == 0 ||
           matches_any(filter->includes, filter->include_count, path);
}
