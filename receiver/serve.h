/* SPDX-License-Identifier: MIT */
/* serve -- the verb: blob-receiver serve. */
#ifndef RECEIVER_SERVE_H
#define RECEIVER_SERVE_H

/* argv[0] is the verb or the program. Returns the exit status. */
int serve_main(int argc, char **argv);

#endif
