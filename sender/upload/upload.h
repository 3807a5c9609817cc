/* SPDX-License-Identifier: MIT */
/* upload -- the verb: a directory tree into an object store. */
#ifndef SENDER_UPLOAD_UPLOAD_H
#define SENDER_UPLOAD_UPLOAD_H

/* argv[0] is the verb. libsodium must be initialised. Returns the exit code. */
int upload_main(int argc, char **argv);

#endif
