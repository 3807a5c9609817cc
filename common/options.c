/* SPDX-License-Identifier: MIT */
#include "common/options.h"

#include "common/options_help.h"
#include "common/sha256.h"
#include "common/units.h"
#include "version.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What getopt_long returns for a long option: where its row is. Above every letter. */
enum { ROW_BASE = 256 };

/* Everything one parse needs; values reach the config only when all of them are good.
 */
struct parse {
    const struct option_set *set;
    struct option *longs; /* rows of the table, then help and version */
    char *shorts;
    const char **given; /* per row: its text on the command line, or NULL */
    union value {
        uint64_t number;
        const char *text;
    } * values;                /* per row */
    struct option_list *lists; /* per row, for OPTION_LIST */
};

static void parse_release(struct parse *parse)
{
    free(parse->longs);
    free(parse->shorts);
    free(parse->given);
    free(parse->values);
    free(parse->lists);
}

static int argument_kind(const struct option_spec *spec)
{
    if (spec->type == OPTION_FLAG)
        return no_argument;
    return spec->implied != NULL ? optional_argument : required_argument;
}

/* The row with this letter; -h and -V belong to help and version, which follow the
 * rows, unless the table has another use for them. */
static size_t row_of_letter(const struct option_set *set, int letter)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->specs[i].letter == letter)
            return i;
    }
    return letter == 'h' ? set->count : set->count + 1;
}

/* getopt's own tables. The leading colon asks it to tell a missing value from an
 * unknown option. */
static enum status parse_init(struct parse *parse, const struct option_set *set,
                              struct error *err)
{
    size_t rows = set->count;
    char *at;

    *parse = (struct parse){
        .set = set,
        .longs = calloc(rows + 3, sizeof *parse->longs),
        .shorts = malloc(3 * rows + sizeof ":hV"),
        .given = calloc(rows + 1, sizeof *parse->given),
        .values = calloc(rows + 1, sizeof *parse->values),
        .lists = calloc(rows + 1, sizeof *parse->lists),
    };
    if (!parse->longs || !parse->shorts || !parse->given || !parse->values ||
        !parse->lists)
        return error_sys(err, ENOMEM, "options");
    at = parse->shorts;
    *at++ = ':';
    for (size_t i = 0; i < rows; i++) {
        const struct option_spec *spec = &set->specs[i];
        int kind = argument_kind(spec);

        parse->longs[i] = (struct option){spec->name, kind, NULL, ROW_BASE + (int)i};
        if (spec->letter != 0) {
            *at++ = spec->letter;
            for (int colons = kind; colons > 0; colons--)
                *at++ = ':';
        }
    }
    parse->longs[rows] = (struct option){"help", no_argument, NULL,
                                         ROW_BASE + (int)rows};
    parse->longs[rows + 1] = (struct option){"version", no_argument, NULL,
                                             ROW_BASE + (int)rows + 1};
    if (row_of_letter(set, 'h') == rows)
        *at++ = 'h';
    if (row_of_letter(set, 'V') == rows + 1)
        *at++ = 'V';
    *at = '\0';
    return ST_OK;
}

static bool choose(const char *const *words, const char *text, uint64_t *out)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool parse_flag(const char *text, uint64_t *out)
{
    static const char *const words[] = {"0",    "1",   "no", "yes", "false",
                                        "true", "off", "on", NULL};
    char lower[8];
    size_t n = 0;

    for (; n < sizeof lower - 1 && text[n] != '\0'; n++)
        lower[n] = (char)tolower((unsigned char)text[n]);
    lower[n] = '\0';
    if (text[n] != '\0' || !choose(words, lower, out))
        return false;
    *out %= 2;
    return true;
}

static bool in_bounds(const struct option_spec *spec, uint64_t number)
{
    return (spec->min == 0 && spec->max == 0) ||
           (number >= spec->min && number <= spec->max);
}

static bool parse_value(const struct option_spec *spec, const char *text,
                        union value *out)
{
    uint64_t number = 0;

    switch (spec->type) {
    case OPTION_TEXT:
    case OPTION_LIST:
        out->text = text;
        return true;
    case OPTION_FLAG:
        return parse_flag(text, &out->number);
    case OPTION_CHOICE:
        return choose(spec->choices, text, &out->number);
    case OPTION_COUNT:
        if (!units_parse_count(text, &number))
            return false;
        break;
    case OPTION_SIZE:
        if (!units_parse_size(text, &number))
            return false;
        break;
    case OPTION_DURATION:
        if (!units_parse_duration(text, &number))
            return false;
        break;
    }
    if (!in_bounds(spec, number))
        return false;
    out->number = number;
    return true;
}

/* A bound as it could be typed: the largest unit that leaves no remainder. */
static const char *format_bound(char out[UNITS_TEXT_SIZE], enum option_type type,
                                uint64_t n)
{
    static const struct unit {
        const char *name;
        uint64_t size;
    } sizes[] = {{"TiB", 1ULL << 40},
                 {"GiB", 1ULL << 30},
                 {"MiB", 1ULL << 20},
                 {"KiB", 1ULL << 10},
                 {"", 1}},
      durations[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}},
      counts[] = {{"", 1}};
    const struct unit *unit = type == OPTION_SIZE       ? sizes
                              : type == OPTION_DURATION ? durations
                                                        : counts;

    while (n % unit->size != 0 || (n == 0 && unit->size != 1))
        unit++;
    snprintf(out, UNITS_TEXT_SIZE, "%" PRIu64 "%s", n / unit->size, unit->name);
    return out;
}

/* What a value has to be: "a size from 1KiB to 1MiB, such as 64KiB". */
static void describe_number(char *out, size_t size, const struct option_spec *spec)
{
    char min[UNITS_TEXT_SIZE], max[UNITS_TEXT_SIZE], bounds[2 * UNITS_TEXT_SIZE + 16];
    const char *kind = spec->type == OPTION_SIZE       ? "a size such as 64KiB"
                       : spec->type == OPTION_DURATION ? "a duration such as 10s"
                                                       : "a whole number";

    format_bound(min, spec->type, spec->min);
    format_bound(max, spec->type, spec->max);
    if (spec->min == 0 && spec->max == 0)
        bounds[0] = '\0';
    else if (spec->max == UINT64_MAX)
        snprintf(bounds, sizeof bounds, " of at least %s", min);
    else
        snprintf(bounds, sizeof bounds, " from %s to %s", min, max);
    snprintf(out, size, "%s%s%s", kind,
             spec->type != OPTION_COUNT && bounds[0] != '\0' ? "," : "", bounds);
}

static enum status refuse_value(const struct option_spec *spec, const char *source,
                                const char *text, struct error *err)
{
    char allowed[OPTIONS_VALUE_SIZE + 2 * UNITS_TEXT_SIZE];

    switch (spec->type) {
    case OPTION_FLAG:
        snprintf(allowed, sizeof allowed, "yes or no");
        break;
    case OPTION_CHOICE:
        options_join_choices(allowed, spec->choices, ", ", " or ");
        break;
    case OPTION_TEXT:
    case OPTION_LIST:
    case OPTION_COUNT:
    case OPTION_SIZE:
    case OPTION_DURATION:
        describe_number(allowed, sizeof allowed, spec);
        break;
    }
    return error_set(err, ST_INVALID, "%s: '%.80s' is not %s", source, text, allowed);
}

/* Command line, environment, preset: the first that says something. */
static enum status resolve(struct parse *parse, size_t row, struct error *err)
{
    const struct option_spec *spec = &parse->set->specs[row];
    char variable[OPTIONS_ENV_NAME_SIZE], dashed[OPTIONS_ENV_NAME_SIZE];
    const char *text = parse->given[row], *source = dashed;

    snprintf(dashed, sizeof dashed, "--%s", spec->name);
    if (text == NULL) {
        text = getenv(options_env_name(variable, parse->set, spec->name));
        source = variable;
    }
    if (text == NULL || (*text == '\0' && source == variable)) {
        text = spec->preset;
        source = dashed;
    }
    if (text == NULL || parse_value(spec, text, &parse->values[row]))
        return ST_OK;
    return refuse_value(spec, source, text, err);
}

/* Only the command line can name more than one. */
static void store_list(struct option_list *out, const struct option_list *given,
                       const char *text)
{
    *out = *given;
    if (out->count == 0 && text != NULL)
        out->items[out->count++] = text;
}

static void store(const struct parse *parse, size_t row, void *config)
{
    const struct option_spec *spec = &parse->set->specs[row];
    const union value *value = &parse->values[row];
    char *at = (char *)config + spec->offset;

    switch (spec->type) {
    case OPTION_FLAG:
        *(bool *)(void *)at = value->number != 0;
        break;
    case OPTION_TEXT:
        *(const char **)(void *)at = value->text;
        break;
    case OPTION_LIST:
        store_list((void *)at, &parse->lists[row], value->text);
        break;
    case OPTION_CHOICE:
        *(unsigned *)(void *)at = (unsigned)value->number;
        break;
    case OPTION_COUNT:
    case OPTION_SIZE:
    case OPTION_DURATION:
        *(uint64_t *)(void *)at = value->number;
        break;
    }
}

/* getopt found no such long option: either none begins so, or several do. */
static enum status refuse_long(const struct parse *parse, const char *argument,
                               struct error *err)
{
    size_t length = strcspn(argument, "=") - 2, matches = 0;
    char candidates[160] = "";

    for (const struct option *row = parse->longs; row->name != NULL; row++) {
        size_t used = strlen(candidates);

        if (strncmp(row->name, argument + 2, length) != 0)
            continue;
        snprintf(candidates + used, sizeof candidates - used, "%s--%s",
                 matches > 0 ? ", " : "", row->name);
        matches++;
    }
    if (matches == 0)
        return error_set(err, ST_INVALID, "unknown option '%.80s'", argument);
    return error_set(err, ST_INVALID, "'%.80s' is ambiguous: %s", argument, candidates);
}

static enum status refuse_option(const struct parse *parse, int code,
                                 const char *argument, struct error *err)
{
    char name[OPTIONS_ENV_NAME_SIZE];

    if (optopt >= ROW_BASE)
        snprintf(name, sizeof name, "--%s", parse->longs[optopt - ROW_BASE].name);
    else
        snprintf(name, sizeof name, "-%c", optopt);
    if (code == ':')
        return error_set(err, ST_INVALID, "%s needs a value", name);
    if (optopt >= ROW_BASE)
        return error_set(err, ST_INVALID, "%s takes no value", name);
    if (optopt == 0)
        return refuse_long(parse, argument, err);
    return error_set(err, ST_INVALID, "unknown option '%s'", name);
}

static enum status print_own(const struct option_set *set, bool help, struct error *err)
{
    if (help)
        options_help_print(stdout, set);
    else
        printf("%s " BLOBSTREAM_VERSION " (sha256: %s)\n", set->program,
               sha256_implementation);
    if (fflush(stdout) != 0)
        return error_sys(err, errno, "write to standard output");
    return ST_END;
}

static bool add_to_list(struct option_list *list, const char *text)
{
    if (list->count == OPTION_LIST_MAX)
        return false;
    list->items[list->count++] = text;
    return true;
}

static enum status scan(struct parse *parse, int argc, char **argv, struct error *err)
{
    const struct option_set *set = parse->set;
    int code;

    optind = 0; /* glibc: begin anew */
    opterr = 0;
    while ((code = getopt_long(argc, argv, parse->shorts, parse->longs, NULL)) != -1) {
        const struct option_spec *spec;
        size_t row;

        if (code == '?' || code == ':')
            return refuse_option(parse, code, argv[optind - 1], err);
        row = code >= ROW_BASE ? (size_t)(code - ROW_BASE) : row_of_letter(set, code);
        if (row >= set->count)
            return print_own(set, row == set->count, err);
        spec = &set->specs[row];
        if (spec->type == OPTION_FLAG)
            parse->given[row] = "yes";
        else
            parse->given[row] = optarg != NULL ? optarg : spec->implied;
        if (spec->type == OPTION_LIST && !add_to_list(&parse->lists[row], optarg))
            return error_set(err, ST_INVALID, "--%s: more than %d of them", spec->name,
                             OPTION_LIST_MAX);
    }
    if (optind < argc && set->operands == NULL)
        return error_set(err, ST_INVALID, "unexpected argument '%.80s'", argv[optind]);
    return ST_OK;
}

enum status options_parse(const struct option_set *set, int argc, char **argv,
                          void *config, int *operand, struct error *err)
{
    struct parse parse;
    enum status st;

    st = parse_init(&parse, set, err);
    if (st != ST_OK)
        goto out;
    st = scan(&parse, argc, argv, err);
    if (st != ST_OK)
        goto out;
    for (size_t row = 0; row < set->count; row++) {
        st = resolve(&parse, row, err);
        if (st != ST_OK)
            goto out;
    }
    for (size_t row = 0; row < set->count; row++)
        store(&parse, row, config);
    *operand = optind;
out:
    parse_release(&parse);
    return st;
}
