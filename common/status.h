/* SPDX-License-Identifier: MIT */
/*
 * status -- what became of an operation: a class to decide on, a clause to show.
 *
 * Callers decide on the class (retry? which HTTP answer? exit?); the text explains it
 * to a person. The caller owns the struct error; it is untouched on success, and every
 * output is untouched on failure.
 *
 * Threads: an error belongs to one thread at a time; it travels with its job.
 */
#ifndef COMMON_STATUS_H
#define COMMON_STATUS_H

#define MUST_CHECK               __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

enum status {
    ST_OK,      /* done */
    ST_END,     /* source ran dry: not a failure */
    ST_AGAIN,   /* transient: a retry may succeed */
    ST_REFUSED, /* peer (or an existing name) said no: never retry */
    ST_CORRUPT, /* bytes disagree with digest or format */
    ST_INVALID, /* caller or operator asked for nonsense */
    ST_CLOSED,  /* shutting down */
    ST_SYSTEM,  /* kernel or library failed: see sys */
};

struct error {
    enum status status;
    int sys;        /* errno, else 0 */
    char text[256]; /* one clause: no newline, no full stop */
};

/* Fills err and returns status, so that a failure is one line:
 *     return error_set(err, ST_INVALID, "port %u is taken", port); */
enum status error_set(struct error *err, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The same for a failed system call: ST_SYSTEM, with ": <strerror(sys)>" appended. */
enum status error_sys(struct error *err, int sys, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Puts "<prefix>: " before the text already in err; keeps class and errno. Returns
 * err->status. */
enum status error_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* The analyzer cannot look into status.c, where it would see that these never return
 * ST_OK. */
#ifdef __clang_analyzer__
#define error_set(err, status, ...)                                                    \
    ((void)(error_set)((err), (status), __VA_ARGS__), (status))
#define error_sys(err, sys, ...)                                                       \
    ((void)(error_sys)((err), (sys), __VA_ARGS__), ST_SYSTEM)
#endif

#endif
