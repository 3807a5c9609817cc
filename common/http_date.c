/* SPDX-License-Identifier: MIT */
#include "common/http_date.h"

#include <stddef.h>
#include <time.h>

const char *http_date_format(char out[HTTP_DATE_SIZE], int64_t seconds)
{
    time_t at = (time_t)seconds;
    struct tm utc;

    gmtime_r(&at, &utc);
    strftime(out, HTTP_DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    return out;
}

bool http_date_parse(const char *text, int64_t *seconds)
{
    static const char *const forms[] = {
        "%a, %d %b %Y %H:%M:%S GMT", /* IMF-fixdate */
        "%A, %d-%b-%y %H:%M:%S GMT", /* RFC 850 */
        "%a %b %e %H:%M:%S %Y",      /* asctime */
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm utc = {0};
        const char *end = strptime(text, forms[i], &utc);

        if (end == NULL || *end != '\0')
            continue;
        *seconds = timegm(&utc);
        return true;
    }
    return false;
}
