/* SPDX-License-Identifier: MIT */
#include "sender/upload/counterpart.h"

#include "sender/upload/attempts.h"

enum status counterpart_look(struct worker *worker, const char *key,
                             struct object_description *out, struct error *err)
{
    struct attempts attempts = {.kind = ATTEMPT_LOOK};
    enum status st;

    do
        st = object_look(worker->session, key, out, err);
    while (attempts_again(&attempts, worker->run, worker->session, st, err));
    return st;
}

bool counterpart_has_content(const struct object_description *ours,
                             const struct object_description *theirs)
{
    return ours->size == theirs->size && ours->has_digest && theirs->has_digest &&
           sha256_equal(&ours->digest, &theirs->digest);
}

static bool has_owner(const struct object_description *ours,
                      const struct object_description *theirs)
{
    return theirs->has_owner && ours->uid == theirs->uid && ours->gid == theirs->gid;
}

bool counterpart_has_metadata(const struct object_description *ours,
                              const struct object_description *theirs)
{
    return theirs->has_modified && ours->modified.tv_sec == theirs->modified.tv_sec &&
           ours->modified.tv_nsec == theirs->modified.tv_nsec &&
           (!theirs->has_mode || ours->mode == theirs->mode) &&
           (!ours->has_owner || has_owner(ours, theirs));
}
