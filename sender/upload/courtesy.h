/* SPDX-License-Identifier: MIT */
/*
 * courtesy -- lets everything else on the machine go first.
 *
 * Threads: main, before the others start: they inherit it.
 */
#ifndef SENDER_UPLOAD_COURTESY_H
#define SENDER_UPLOAD_COURTESY_H

enum courtesy { COURTESY_OFF, COURTESY_POLITE, COURTESY_IDLE };

/* CPU and disk. What the kernel does not grant is done without. */
void courtesy_adopt(enum courtesy courtesy);

#endif
