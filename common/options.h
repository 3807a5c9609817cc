/* SPDX-License-Identifier: MIT */
/*
 * options -- one table gives parsing, environment, defaults, validation and --help.
 *
 * Each row names an option, where its value goes in the program's config struct, its
 * default as text and its bounds. Precedence: command line, then environment
 * (PREFIX_NAME, dashes as underscores; an empty variable counts as unset), then preset.
 * All three go through the same parser, so a bad value is refused by name wherever it
 * came from: "--port: '70000' is not a whole number from 0 to 65535".
 * --help and --version need no row.
 *
 * Owner:   text values point into argv, the environment or the table.
 * Threads: main only, before threads start.
 * Source:  getopt_long(3).
 */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_FLAG,     /* bool; environment: 1 true yes on, 0 false no off */
    OPTION_TEXT,     /* const char *; NULL when there is no preset */
    OPTION_COUNT,    /* uint64_t, decimal, min..max */
    OPTION_SIZE,     /* uint64_t bytes: 512, 64KiB, 1MiB (see units.h), min..max */
    OPTION_DURATION, /* uint64_t milliseconds: 250ms, 10s, 5m, 1h, min..max */
    OPTION_CHOICE,   /* unsigned: index into choices */
    OPTION_LIST,     /* struct option_list: each occurrence adds a text */
};

enum { OPTION_LIST_MAX = 64 };

struct option_list {
    const char *items[OPTION_LIST_MAX];
    size_t count;
};

struct option_spec {
    const char *name; /* long name without dashes */
    char letter;      /* short name, 0: none */
    enum option_type type;
    size_t offset;              /* of the value in the config struct */
    const char *value_name;     /* for --help, e.g. "PORT"; NULL for flags */
    const char *preset;         /* default as text; NULL: zero, NULL or false */
    const char *implied;        /* value of a bare --name; NULL: a value is required */
    uint64_t min, max;          /* inclusive; both 0: no bounds */
    const char *const *choices; /* NULL-ended, for OPTION_CHOICE */
    const char *help; /* one sentence, no full stop; the default is appended */
};

struct option_set {
    const char *program;    /* "blob-receiver" */
    const char *verb;       /* "serve", shown in usage; NULL: none */
    const char *env_prefix; /* "BLOB_RECEIVER" */
    const char *operands;   /* "URL...", shown in usage; NULL: operands are refused */
    const char *about;      /* a paragraph for the top of --help */
    const char *epilog;     /* examples, exit codes; NULL: none */
    const struct option_spec *specs;
    size_t count;
};

/* Fills config. argv[0] is skipped. *operand becomes the index in argv (which may be
 * permuted) of the first operand, argc when there is none.
 * ST_END when --help or --version was asked for: it has been printed to stdout, exit 0.
 * ST_INVALID for anything wrong: print err->text and exit with EXIT_USAGE. */
enum status options_parse(const struct option_set *set, int argc, char **argv,
                          void *config, int *operand, struct error *err) MUST_CHECK;

enum {
    EXIT_INCOMPLETE = 1, /* ran, but not everything came through; or could not start */
    EXIT_USAGE = 2,      /* an option or operand makes no sense */
};

#endif
