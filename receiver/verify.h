/* SPDX-License-Identifier: MIT */
/*
 * verify -- the verb: blob-receiver verify DIR.
 *
 * Reads every stored blob again, at a bounded rate, and compares it with the digest it
 * was acknowledged with. It needs no lock: a receiver may go on storing meanwhile.
 */
#ifndef RECEIVER_VERIFY_H
#define RECEIVER_VERIFY_H

/* argv[0] is the verb. Returns the exit status: 0 only when every blob is what it was.
 */
int verify_main(int argc, char **argv);

#endif
