/* SPDX-License-Identifier: MIT */
/* list -- the verb: blob-receiver list DIR. */
#ifndef RECEIVER_LIST_H
#define RECEIVER_LIST_H

/* argv[0] is the verb. Returns the exit status. */
int list_main(int argc, char **argv);

#endif
