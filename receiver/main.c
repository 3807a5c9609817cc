/* SPDX-License-Identifier: MIT */
#include "receiver/serve.h"

#include <string.h>

/* `serve` is what runs when no verb is named. */
int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        return serve_main(argc - 1, argv + 1);
    return serve_main(argc, argv);
}
