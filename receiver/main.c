/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/fetch.h"
#include "receiver/list.h"
#include "receiver/serve.h"
#include "receiver/verify.h"

#include <stddef.h>
#include <string.h>

static const struct verb {
    const char *name;
    int (*main)(int argc, char **argv);
} verbs[] = {
    {"serve", serve_main},
    {"verify", verify_main},
    {"list", list_main},
    {"fetch", fetch_main},
};

/* `serve` is what runs when no verb is named. */
int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].main(argc - 1, argv + 1);
    return serve_main(argc, argv);
}
