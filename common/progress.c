/* SPDX-License-Identifier: MIT */
#include "common/progress.h"

#include "common/log.h"
#include "common/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_MIN = 10, BAR_MAX = 30, FACTS_SIZE = 256, LINE_SIZE = 512 };

static uint64_t per_second(uint64_t amount, uint64_t elapsed_ms)
{
    return elapsed_ms == 0 ? 0 : (uint64_t)((double)amount * 1e3 / (double)elapsed_ms);
}

/* What is left takes as long per piece as what is done; whole seconds are enough. */
static void append_eta(char *facts, const struct progress *progress)
{
    char text[UNITS_TEXT_SIZE];
    size_t length = strlen(facts);
    double left_s;

    if (progress->done == 0 || progress->done >= progress->total)
        return;
    left_s = (double)progress->elapsed_ms / 1e3 / (double)progress->done *
             (double)(progress->total - progress->done);
    if (left_s < 60)
        snprintf(text, sizeof text, "%.0fs", left_s);
    else if (left_s < 1e9)
        units_format_duration(text, (uint64_t)left_s * 1000);
    else
        return;
    snprintf(facts + length, FACTS_SIZE - length, "  ETA %s", text);
}

/* Everything right of the bar. */
static void format_facts(char facts[FACTS_SIZE], const struct progress *progress)
{
    char done[UNITS_TEXT_SIZE], total[UNITS_TEXT_SIZE], rate[UNITS_TEXT_SIZE];
    uint64_t bytes = progress->noun == NULL ? progress->done : progress->bytes;
    size_t length;

    units_format_size(done, bytes);
    units_format_size(total, progress->total);
    units_format_size(rate, per_second(bytes, progress->elapsed_ms));
    if (progress->noun == NULL && progress->total > 0)
        snprintf(facts, FACTS_SIZE, "%s/%s  %s/s", done, total, rate);
    else if (progress->noun == NULL)
        snprintf(facts, FACTS_SIZE, "%s  %s/s", done, rate);
    else if (progress->total > 0)
        snprintf(facts, FACTS_SIZE, "%" PRIu64 "/%" PRIu64 " %s  %s  %s/s",
                 progress->done, progress->total, progress->noun, done, rate);
    else
        snprintf(facts, FACTS_SIZE, "%" PRIu64 " %s  %s  %s/s", progress->done,
                 progress->noun, done, rate);
    append_eta(facts, progress);
    if (progress->note == NULL)
        return;
    length = strlen(facts);
    snprintf(facts + length, FACTS_SIZE - length, "  %s", progress->note);
}

/* "[=====>    ] " of `cells` cells. */
static void format_bar(char *out, unsigned cells, const struct progress *progress)
{
    double share = progress->done < progress->total
                       ? (double)progress->done / (double)progress->total
                       : 1;
    unsigned full = (unsigned)(share * cells);

    *out++ = '[';
    for (unsigned i = 0; i < cells; i++)
        *out++ = i < full ? '=' : i == full && progress->done > 0 ? '>' : ' ';
    memcpy(out, "] ", sizeof "] ");
}

const char *progress_format(char *out, size_t size, unsigned width,
                            const struct progress *progress)
{
    char facts[FACTS_SIZE], bar[BAR_MAX + sizeof "[] "] = "", line[LINE_SIZE];
    size_t room = width, taken;

    format_facts(facts, progress);
    taken = strlen(facts) + sizeof "[] " - 1;
    if (progress->total > 0 && room >= taken + BAR_MIN) {
        size_t cells = room - taken;

        format_bar(bar, cells < BAR_MAX ? (unsigned)cells : BAR_MAX, progress);
    }
    if (room > sizeof line - 1)
        room = sizeof line - 1;
    snprintf(line, room + 1, "%s%s", bar, facts);
    snprintf(out, size, "%s", line);
    return out;
}

static unsigned terminal_width(void)
{
    struct winsize window;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0)
        return 80;
    return window.ws_col;
}

void progress_show(const struct progress *progress)
{
    char line[LINE_SIZE];

    if (!log_footer_visible())
        return;
    /* The last column stays free: terminals wrap when it is written. */
    log_footer(progress_format(line, sizeof line, terminal_width() - 1, progress));
}

void progress_hide(void)
{
    log_footer(NULL);
}
