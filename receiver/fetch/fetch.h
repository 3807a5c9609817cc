/* SPDX-License-Identifier: MIT */
/* fetch -- the verb: `blob-receiver fetch URL...`. argv[0] is the verb. Returns the
 * exit status. Threads: main, before any other. */
#ifndef RECEIVER_FETCH_FETCH_H
#define RECEIVER_FETCH_FETCH_H

int fetch_main(int argc, char **argv);

#endif
