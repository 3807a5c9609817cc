/* SPDX-License-Identifier: MIT */
/* descriptors -- as many as the kernel lets us have. Threads: main, at start. */
#ifndef RECEIVER_DESCRIPTORS_H
#define RECEIVER_DESCRIPTORS_H

/* Raises the soft limit to the hard one; warns in the log when that is too low for so
 * many connections, each with a file open. */
void descriptors_raise(unsigned connections);

#endif
