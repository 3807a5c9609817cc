/* SPDX-License-Identifier: MIT */
#include "common/log.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_SIZE = 4096, /* PIPE_BUF: a pipe never tears such a line either */
    TAG_SIZE = 32,
    FOOTER_SIZE = 512,
    SHORT_MESSAGE = 512, /* fits even if JSON spells every byte as \u00XX */
};

#define CLEAR_LINE "\r\033[K"

const char *const log_level_names[] = {"error", "warn", "info", "debug", NULL};
const char *const log_format_names[] = {"text", "json", NULL};

static const char *const level_tags[] = {"ERROR", "WARN", "INFO", "DEBUG"};

static struct {
    atomic_int level;
    atomic_bool terminal; /* the footer can be shown */

    /* These change in log_open and log_close only: read freely. */
    int fd;
    bool owned; /* fd is a file of ours */
    const char *program, *file;
    char tag[TAG_SIZE];
    enum log_format format;

    struct {
        pthread_mutex_t lock; /* guards everything in here, and the terminal */
        char text[FOOTER_SIZE];
    } footer;
} state = {
    .level = LOG_INFO,
    .fd = STDERR_FILENO,
    .tag = "BLOBSTREAM",
    .footer.lock = PTHREAD_MUTEX_INITIALIZER,
};

/* A terminal that cannot erase a line would repeat the footer after every event. */
static bool stderr_is_terminal(void)
{
    const char *type = getenv("TERM");

    return isatty(STDERR_FILENO) && type != NULL && strcmp(type, "dumb") != 0;
}

/* -1 on failure. */
static int open_file(const char *path, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);

    if (fd < 0)
        error_sys(err, errno, "open log file '%s'", path);
    return fd;
}

enum status log_open(const struct log_config *config, struct error *err)
{
    int fd = STDERR_FILENO;
    size_t n = 0;

    if (config->file != NULL)
        fd = open_file(config->file, err);
    if (fd < 0)
        return err->status;
    log_close();
    state.fd = fd;
    state.owned = config->file != NULL;
    state.file = config->file;
    state.program = config->program;
    state.format = config->format;
    for (; n < sizeof state.tag - 1 && config->program[n] != '\0'; n++)
        state.tag[n] = (char)toupper((unsigned char)config->program[n]);
    state.tag[n] = '\0';
    atomic_store(&state.level, config->level);
    atomic_store(&state.terminal, stderr_is_terminal());
    return ST_OK;
}

enum status log_reopen(struct error *err)
{
    enum status st = ST_OK;
    int fd;

    if (!state.owned)
        return ST_OK;
    fd = open_file(state.file, err);
    if (fd < 0)
        return err->status;
    /* The number stays the same, so that writers need no lock. */
    if (dup3(fd, state.fd, O_CLOEXEC) < 0)
        st = error_sys(err, errno, "reopen log file '%s'", state.file);
    close(fd);
    return st;
}

void log_close(void)
{
    log_footer(NULL);
    atomic_store(&state.terminal, false);
    atomic_store(&state.level, LOG_INFO);
    if (state.owned)
        close(state.fd);
    state.fd = STDERR_FILENO;
    state.owned = false;
    state.format = LOG_FORMAT_TEXT;
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&state.level, memory_order_relaxed);
}

static void write_whole(int fd, const char *bytes, size_t n)
{
    ssize_t written;

    do
        written = write(fd, bytes, n);
    while (written < 0 && errno == EINTR);
}

static size_t text_line(char line[LINE_SIZE], enum log_level level, uint64_t now_ms,
                        const char *message)
{
    time_t seconds = (time_t)(now_ms / 1000);
    char when[32];
    struct tm broken;
    int n;

    localtime_r(&seconds, &broken);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &broken);
    n = snprintf(line, LINE_SIZE, "[%s][%s][%s,%03u] - ", state.tag, level_tags[level],
                 when, (unsigned)(now_ms % 1000));
    return (size_t)n + utf8_show(line + n, LINE_SIZE - 1 - (size_t)n, message);
}

static bool json_write(char line[LINE_SIZE], size_t *length, enum log_level level,
                       const char *when, const char *event,
                       const struct log_field *fields, const char *message)
{
    struct json json;

    json_init(&json, line, LINE_SIZE - 1);
    json_open(&json, NULL, '{');
    json_string(&json, "time", when);
    json_string(&json, "level", log_level_names[level]);
    json_string(&json, "program", state.program);
    json_string(&json, "event", event);
    for (; fields != NULL && fields->key != NULL; fields++) {
        if (fields->text != NULL)
            json_string(&json, fields->key, fields->text);
        else
            json_number(&json, fields->key, fields->number);
    }
    json_string(&json, "message", message);
    json_close(&json, '}');
    *length = json.length;
    return !json.overflow;
}

/* Cuts message to n bytes, at a character. */
static void cut(char *message, size_t n)
{
    if (strlen(message) <= n)
        return;
    while (n > 0 && ((unsigned char)message[n] & 0xc0) == 0x80)
        n--;
    message[n] = '\0';
}

static size_t json_line(char line[LINE_SIZE], enum log_level level, uint64_t now_ms,
                        const char *event, const struct log_field *fields,
                        char *message)
{
    time_t seconds = (time_t)(now_ms / 1000);
    char date[32], when[48];
    struct tm broken;
    size_t length;

    gmtime_r(&seconds, &broken);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &broken);
    snprintf(when, sizeof when, "%s.%03uZ", date, (unsigned)(now_ms % 1000));
    if (json_write(line, &length, level, when, event, fields, message))
        return length;
    cut(message, SHORT_MESSAGE);
    if (json_write(line, &length, level, when, event, fields, message))
        return length;
    return json_write(line, &length, level, when, event, NULL, message) ? length : 0;
}

/* line has room for one more byte. */
static void emit(char line[LINE_SIZE], size_t length)
{
    char both[LINE_SIZE + FOOTER_SIZE + 2 * sizeof CLEAR_LINE];
    int n;

    line[length++] = '\n';
    if (state.owned || !log_footer_visible()) {
        write_whole(state.fd, line, length);
        return;
    }
    pthread_mutex_lock(&state.footer.lock);
    n = snprintf(both, sizeof both, "%s%.*s%s", state.footer.text[0] ? CLEAR_LINE : "",
                 (int)length, line, state.footer.text);
    write_whole(state.fd, both, (size_t)n);
    pthread_mutex_unlock(&state.footer.lock);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields,
               const char *format, ...)
{
    char line[LINE_SIZE], message[LINE_SIZE];
    uint64_t now_ms;
    va_list arguments;
    size_t length;

    if (!log_enabled(level))
        return;
    now_ms = clock_wall_ms();
    va_start(arguments, format);
    if (vsnprintf(message, sizeof message, format, arguments) < 0)
        message[0] = '\0';
    va_end(arguments);
    cut(message, sizeof message - 2); /* where vsnprintf may have split a character */
    if (state.format == LOG_FORMAT_JSON)
        length = json_line(line, level, now_ms, event, fields, message);
    else
        length = text_line(line, level, now_ms, message);
    emit(line, length);
}

bool log_footer_visible(void)
{
    return atomic_load_explicit(&state.terminal, memory_order_relaxed);
}

void log_footer(const char *line)
{
    char painted[FOOTER_SIZE + sizeof CLEAR_LINE];
    char *text = state.footer.text;
    bool was_shown;
    size_t length;
    int n;

    if (!log_footer_visible())
        return;
    pthread_mutex_lock(&state.footer.lock);
    was_shown = text[0] != '\0';
    length = utf8_show(text, FOOTER_SIZE, line != NULL ? line : "");
    n = snprintf(painted, sizeof painted, CLEAR_LINE "%s", text);
    if (was_shown || length > 0)
        write_whole(STDERR_FILENO, painted, (size_t)n);
    pthread_mutex_unlock(&state.footer.lock);
}
