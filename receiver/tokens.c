/* SPDX-License-Identifier: MIT */
#include "receiver/tokens.h"

#include "common/credential.h"
#include "common/sha256.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_LENGTH_MIN = 16 };

static const char blanks[] = " \t\r";

struct token {
    char name[TOKENS_NAME_SIZE];
    unsigned scopes;
    struct sha256_digest hash;
};

struct tokens {
    size_t count;
    struct token token[];
};

/* Part of a line; not NUL-terminated. */
struct word {
    const char *text;
    size_t n;
};

static bool word_is(struct word word, const char *text)
{
    return word.n == strlen(text) && memcmp(word.text, text, word.n) == 0;
}

static void skip_blanks(struct word *line)
{
    while (line->n > 0 && strchr(blanks, *line->text)) {
        line->text++;
        line->n--;
    }
}

static struct word next_word(struct word *line)
{
    struct word word = {line->text, 0};

    while (word.n < line->n && !strchr(blanks, word.text[word.n]))
        word.n++;
    line->text += word.n;
    line->n -= word.n;
    skip_blanks(line);
    return word;
}

static bool parse_name(struct word word, char out[TOKENS_NAME_SIZE])
{
    if (word.n >= TOKENS_NAME_SIZE)
        return false;
    for (size_t i = 0; i < word.n; i++)
        if (word.text[i] <= 0x20 || word.text[i] >= 0x7f)
            return false;
    memcpy(out, word.text, word.n);
    out[word.n] = '\0';
    return true;
}

static unsigned parse_scopes(struct word word)
{
    if (word_is(word, "read"))
        return TOKEN_READ;
    if (word_is(word, "write"))
        return TOKEN_WRITE;
    if (word_is(word, "read,write") || word_is(word, "write,read"))
        return TOKEN_READ | TOKEN_WRITE;
    return 0;
}

/* RFC 6750, section 2.1: b64token */
static bool is_token(struct word word)
{
    static const char others[] = "-._~+/";
    size_t n = word.n;

    while (n > 0 && word.text[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        char c = word.text[i];
        bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                            (c >= 'A' && c <= 'Z');

        if (!alphanumeric && !strchr(others, c))
            return false;
    }
    return n > 0;
}

static void hash_token(struct sha256_digest *out, const char *token, size_t n)
{
    crypto_hash_sha256(out->bytes, (const unsigned char *)token, n);
}

static const char *parse_token(struct word word, struct sha256_digest *out)
{
    static const char prefix[] = "sha256:";
    const size_t skip = sizeof(prefix) - 1;

    if (word.n >= skip && memcmp(word.text, prefix, skip) == 0)
        return sha256_from_hex(word.text + skip, word.n - skip, out)
                   ? NULL
                   : "sha256: is not followed by 64 hex digits";
    if (!is_token(word))
        return "the token has characters that a bearer token cannot have";
    if (word.n < TOKEN_LENGTH_MIN)
        return "the token is shorter than 16 characters";
    hash_token(out, word.text, word.n);
    return NULL;
}

/* What is wrong with the line; NULL: nothing. */
static const char *parse_line(struct word line, struct token *out)
{
    struct word name = next_word(&line);
    struct word scopes = next_word(&line);
    struct word token = next_word(&line);

    if (token.n == 0 || line.n > 0)
        return "it is not NAME read|write|read,write TOKEN";
    if (!parse_name(name, out->name))
        return "the name is longer than 63 characters, or not visible ASCII";
    out->scopes = parse_scopes(scopes);
    if (out->scopes == 0)
        return "the scopes are not read, write or read,write";
    return parse_token(token, &out->hash);
}

static const char *check_unique(const struct tokens *tokens, const struct token *token)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (strcmp(tokens->token[i].name, token->name) == 0)
            return "the name was used before";
        if (sha256_equal(&tokens->token[i].hash, &token->hash))
            return "the token was used before";
    }
    return NULL;
}

static enum status parse(struct tokens *tokens, const char *text, const char *file,
                         struct error *err)
{
    const char *wrong;

    for (unsigned number = 1; *text != '\0'; number++) {
        struct word line = {text, strcspn(text, "\n")};
        struct token *token = &tokens->token[tokens->count];

        text += line.n + (text[line.n] == '\n');
        skip_blanks(&line);
        if (line.n == 0 || *line.text == '#')
            continue;
        wrong = parse_line(line, token);
        if (!wrong)
            wrong = check_unique(tokens, token);
        if (wrong)
            return error_set(err, ST_CORRUPT, "token file '%s', line %u: %s", file,
                             number, wrong);
        tokens->count++;
    }
    if (tokens->count == 0)
        return error_set(err, ST_CORRUPT, "token file '%s' has no token in it", file);
    return ST_OK;
}

static size_t count_lines(const char *text)
{
    size_t lines = 1;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        lines++;
    return lines;
}

enum status tokens_load(struct tokens **out, const char *file, struct error *err)
{
    struct tokens *tokens = NULL;
    char *text = NULL;
    size_t n = 0;
    enum status st = credential_read(&text, &n, file, CREDENTIAL_SECRET, err);

    if (st != ST_OK)
        return error_prefix(err, "token file");
    tokens = calloc(1, sizeof(*tokens) + count_lines(text) * sizeof(tokens->token[0]));
    st = tokens ? parse(tokens, text, file, err)
                : error_sys(err, ENOMEM, "read token file '%s'", file);
    credential_free(&text, n);
    if (st != ST_OK) {
        tokens_destroy(&tokens);
        return st;
    }
    *out = tokens;
    return ST_OK;
}

void tokens_destroy(struct tokens **tokens)
{
    free(*tokens);
    *tokens = NULL;
}

size_t tokens_count(const struct tokens *tokens)
{
    return tokens->count;
}

unsigned tokens_find(const struct tokens *tokens, const char *token, size_t n,
                     char name[TOKENS_NAME_SIZE])
{
    size_t found = tokens->count;
    struct sha256_digest hash;

    hash_token(&hash, token, n);
    for (size_t i = 0; i < tokens->count; i++)
        if (sodium_memcmp(hash.bytes, tokens->token[i].hash.bytes, SHA256_BYTES) == 0)
            found = i;
    if (found == tokens->count)
        return 0;
    memcpy(name, tokens->token[found].name, TOKENS_NAME_SIZE);
    return tokens->token[found].scopes;
}
