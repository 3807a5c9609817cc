/* SPDX-License-Identifier: MIT */
#include "common/options_help.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { WIDTH = 80, LABEL_WIDTH_MAX = 30, LABEL_SIZE = 128, TEXT_SIZE = 1024 };

const char *options_env_name(char out[OPTIONS_ENV_NAME_SIZE],
                             const struct option_set *set, const char *name)
{
    snprintf(out, OPTIONS_ENV_NAME_SIZE, "%s_%s", set->env_prefix, name);
    for (char *at = out; *at != '\0'; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
    return out;
}

const char *options_join_choices(char out[OPTIONS_VALUE_SIZE],
                                 const char *const *choices, const char *separator,
                                 const char *last)
{
    size_t length = 0;

    out[0] = '\0';
    for (size_t i = 0; choices[i] != NULL && length < OPTIONS_VALUE_SIZE; i++) {
        const char *between = i == 0 ? "" : choices[i + 1] == NULL ? last : separator;
        int n = snprintf(out + length, OPTIONS_VALUE_SIZE - length, "%s%s", between,
                         choices[i]);

        length += n > 0 ? (size_t)n : 0;
    }
    return out;
}

/* Prints text in lines that begin at column `indent`, the first of them at `column`,
 * where the cursor is. A newline in text is kept. */
static void print_wrapped(FILE *to, const char *text, size_t indent, size_t column)
{
    bool fresh = true; /* nothing on this line yet */

    while (*text != '\0') {
        size_t word = strcspn(text, " \n");

        if (!fresh && column + 1 + word > WIDTH) {
            fprintf(to, "\n");
            column = 0;
            fresh = true;
        }
        if (column < indent) {
            fprintf(to, "%*s", (int)(indent - column), "");
            column = indent;
        }
        fprintf(to, "%s%.*s", fresh ? "" : " ", (int)word, text);
        column += word + (fresh ? 0 : 1);
        fresh = false;
        text += word;
        if (*text == '\n') {
            fprintf(to, "\n");
            column = 0;
            fresh = true;
        }
        text += *text != '\0';
    }
    fprintf(to, "\n");
}

static const char *value_name(const struct option_spec *spec,
                              char buffer[OPTIONS_VALUE_SIZE])
{
    if (spec->value_name != NULL)
        return spec->value_name;
    if (spec->type == OPTION_CHOICE)
        return options_join_choices(buffer, spec->choices, "|", "|");
    return "VALUE";
}

/* "  -p, --port PORT" */
static size_t make_label(char out[LABEL_SIZE], const struct option_spec *spec)
{
    char letter[] = "    ", choices[OPTIONS_VALUE_SIZE];
    int n;

    if (spec->letter != 0) {
        letter[0] = '-';
        letter[1] = spec->letter;
        letter[2] = ',';
    }
    n = snprintf(out, LABEL_SIZE, "  %s--%s", letter, spec->name);
    if (spec->type == OPTION_FLAG)
        return (size_t)n;
    snprintf(out + n, LABEL_SIZE - (size_t)n, spec->implied ? "[=%s]" : " %s",
             value_name(spec, choices));
    return strlen(out);
}

static void print_row(FILE *to, const struct option_spec *spec, size_t indent)
{
    char label[LABEL_SIZE], text[TEXT_SIZE];
    size_t column = make_label(label, spec);
    const char *preset = spec->type == OPTION_FLAG ? NULL : spec->preset;

    snprintf(text, sizeof text, "%s%s%s%s%s%s%s", spec->help,
             preset || spec->implied ? " (" : "", preset ? "default: " : "",
             preset ? preset : "", preset && spec->implied ? "; " : "",
             spec->implied ? "without a value: " : "",
             spec->implied ? spec->implied : "");
    if (preset != NULL || spec->implied != NULL)
        strncat(text, ")", sizeof text - strlen(text) - 1);
    fputs(label, to);
    if (column + 2 > indent) {
        fprintf(to, "\n");
        column = 0;
    }
    print_wrapped(to, text, indent, column);
}

static size_t help_column(const struct option_set *set)
{
    char label[LABEL_SIZE];
    size_t widest = sizeof "      --version" - 1;

    for (size_t i = 0; i < set->count; i++) {
        size_t width = make_label(label, &set->specs[i]);

        if (width > widest && width <= LABEL_WIDTH_MAX)
            widest = width;
    }
    return widest + 2;
}

static bool letter_is_free(const struct option_set *set, char letter)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->specs[i].letter == letter)
            return false;
    }
    return true;
}

static void print_environment(FILE *to, const struct option_set *set)
{
    char text[TEXT_SIZE], name[OPTIONS_ENV_NAME_SIZE];

    if (set->count == 0)
        return;
    snprintf(text, sizeof text,
             "Every option can be set in the environment as well, as in %s for --%s. "
             "The command line comes first.",
             options_env_name(name, set, set->specs[0].name), set->specs[0].name);
    fprintf(to, "\n");
    print_wrapped(to, text, 0, 0);
}

void options_help_print(FILE *to, const struct option_set *set)
{
    const struct option_spec own[] = {
        {.name = "help", .help = "print this and exit", .letter = 'h'},
        {.name = "version", .help = "print the version and exit", .letter = 'V'},
    };
    size_t indent = help_column(set);

    fprintf(to, "Usage: %s%s%s [OPTION]...%s%s\n", set->program, set->verb ? " " : "",
            set->verb ? set->verb : "", set->operands ? " " : "",
            set->operands ? set->operands : "");
    if (set->about != NULL) {
        fprintf(to, "\n");
        print_wrapped(to, set->about, 0, 0);
    }
    fprintf(to, "\n");
    for (size_t i = 0; i < set->count; i++)
        print_row(to, &set->specs[i], indent);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        struct option_spec row = own[i];

        if (!letter_is_free(set, row.letter))
            row.letter = 0;
        print_row(to, &row, indent);
    }
    print_environment(to, set);
    if (set->epilog != NULL)
        fprintf(to, "\n%s\n", set->epilog);
}
