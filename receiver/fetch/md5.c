/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/md5.h"

#include <string.h>

/* floor(2^32 * abs(sin(i + 1))) */
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613,
    0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193,
    0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d,
    0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed,
    0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122,
    0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
    0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244,
    0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb,
    0xeb86d391,
};

static const uint8_t rotations[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t rotate(uint32_t x, unsigned by)
{
    return x << by | x >> (32 - by);
}

static uint32_t load(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

/* The round's mixing function and the word of the block it takes. */
static uint32_t mix(unsigned i, uint32_t b, uint32_t c, uint32_t d, unsigned *word)
{
    switch (i / 16) {
    case 0:
        *word = i;
        return (b & c) | (~b & d);
    case 1:
        *word = (5 * i + 1) % 16;
        return (d & b) | (~d & c);
    case 2:
        *word = (3 * i + 5) % 16;
        return b ^ c ^ d;
    default:
        *word = 7 * i % 16;
        return c ^ (b | ~d);
    }
}

static void digest_block(struct md5 *md5, const uint8_t *block)
{
    uint32_t a = md5->state[0], b = md5->state[1], c = md5->state[2], d = md5->state[3];

    for (unsigned i = 0; i < 64; i++) {
        unsigned word;
        uint32_t f = mix(i, b, c, d, &word) + a + sines[i] + load(block + 4 * word);

        a = d;
        d = c;
        c = b;
        b += rotate(f, rotations[i / 16][i % 4]);
    }
    md5->state[0] += a;
    md5->state[1] += b;
    md5->state[2] += c;
    md5->state[3] += d;
}

void md5_init(struct md5 *md5)
{
    *md5 = (struct md5){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
}

void md5_update(struct md5 *md5, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    size_t waiting = md5->length % MD5_BLOCK;

    md5->length += n;
    if (waiting > 0) {
        size_t fill = MD5_BLOCK - waiting < n ? MD5_BLOCK - waiting : n;

        memcpy(md5->block + waiting, at, fill);
        at += fill;
        n -= fill;
        if (waiting + fill < MD5_BLOCK)
            return;
        digest_block(md5, md5->block);
    }
    for (; n >= MD5_BLOCK; at += MD5_BLOCK, n -= MD5_BLOCK)
        digest_block(md5, at);
    if (n > 0)
        memcpy(md5->block, at, n);
}

void md5_finish(struct md5 *md5, uint8_t out[MD5_BYTES])
{
    static const uint8_t padding[MD5_BLOCK] = {0x80};
    uint64_t bits = md5->length * 8;
    size_t waiting = md5->length % MD5_BLOCK;
    uint8_t tail[8];

    for (unsigned i = 0; i < sizeof tail; i++)
        tail[i] = (uint8_t)(bits >> (8 * i));
    md5_update(md5, padding, (waiting < 56 ? 56 : 120) - waiting);
    md5_update(md5, tail, sizeof tail);
    for (unsigned i = 0; i < MD5_BYTES; i++)
        out[i] = (uint8_t)(md5->state[i / 4] >> (8 * (i % 4)));
}
