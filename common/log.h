/* SPDX-License-Identifier: MIT */
/*
 * log -- one event, one line, one write(2).
 *
 * Shape:   text  [SENDER][INFO][2026-11-21 18:23:02,025] - W0 delivered 94af... 12
 * bytes json  {"time":"2026-11-21T18:23:02.025Z","level":"info","program":"sender",
 *                 "event":"delivered","blob":"94af...","bytes":12,"message":"W0 ..."}
 *          Text is local time, JSON is UTC. What is not printable is escaped; a line
 *          longer than 4 KiB is cut.
 * Levels:  ERROR needs a human, WARN was survived, INFO is lifecycle and the life of
 *          each blob, DEBUG is for us.
 * Errors:  none: a line that cannot be written is dropped.
 * Threads: log_event and log_footer from any thread; open and close from main alone,
 *          reopen from any thread.
 * Rule:    common/ never logs. Whoever ends an error's journey logs it, once.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Names for the options --log-level and --log-format, NULL-ended, in enum order. */
extern const char *const log_level_names[];
extern const char *const log_format_names[];

struct log_config {
    const char *program; /* lower case, e.g. "sender"; must outlive the log */
    const char *file;    /* appended to; NULL: stderr; must outlive the log */
    enum log_level level;
    enum log_format format;
};

/* Before this call, and after log_close, lines go to stderr as text at INFO. */
enum status log_open(const struct log_config *config, struct error *err) MUST_CHECK;

/* Opens the file again under its name, for log rotation. On failure the old one stays.
 */
enum status log_reopen(struct error *err) MUST_CHECK;
void log_close(void);

bool log_enabled(enum log_level level);

struct log_field {
    const char *key;  /* NULL ends the list */
    const char *text; /* NULL: number counts */
    int64_t number;
};

#define log_text(k, v)   ((struct log_field){.key = (k), .text = (v)})
#define log_number(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v)})
#define LOG_FIELDS(...)  ((const struct log_field[]){__VA_ARGS__, {.key = NULL}})

/* event: one stable lower-case word for machines; fields: for JSON only, may be NULL;
 * format: the sentence a person reads, which says everything the fields do. */
void log_event(enum log_level level, const char *event, const struct log_field *fields,
               const char *format, ...) PRINTF_LIKE(4, 5);

/* Keeps one line (a progress bar) painted below the log while the log goes to a
 * terminal; NULL or "" removes it. Does nothing when stderr is not a terminal. */
void log_footer(const char *line);

/* Whether log_footer would show anything. */
bool log_footer_visible(void);

#endif
