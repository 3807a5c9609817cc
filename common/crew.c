/* SPDX-License-Identifier: MIT */
#include "common/crew.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREAD_NAME_SIZE = 16 }; /* the kernel's limit */

enum gate { GATE_SHUT, GATE_OPEN, GATE_ABANDONED };

struct member {
    struct crew *crew;
    pthread_t thread;
    unsigned index;
};

struct crew {
    const char *name; /* these are set once: read freely */
    crew_work *work;
    void *context;
    unsigned count; /* of threads that exist */
    struct {
        pthread_mutex_t lock; /* guards everything in here */
        pthread_cond_t changed;
        enum gate gate;
    } shared;
    struct member member[];
};

static enum gate gate_wait(struct crew *crew)
{
    enum gate gate;

    pthread_mutex_lock(&crew->shared.lock);
    while (crew->shared.gate == GATE_SHUT)
        pthread_cond_wait(&crew->shared.changed, &crew->shared.lock);
    gate = crew->shared.gate;
    pthread_mutex_unlock(&crew->shared.lock);
    return gate;
}

static void gate_set(struct crew *crew, enum gate gate)
{
    pthread_mutex_lock(&crew->shared.lock);
    crew->shared.gate = gate;
    pthread_cond_broadcast(&crew->shared.changed);
    pthread_mutex_unlock(&crew->shared.lock);
}

static void *member_run(void *argument)
{
    struct member *member = argument;
    struct crew *crew = member->crew;
    char name[THREAD_NAME_SIZE];

    if (gate_wait(crew) == GATE_ABANDONED)
        return NULL;
    if (snprintf(name, sizeof name, "%s/%u", crew->name, member->index) > 0)
        pthread_setname_np(pthread_self(), name);
    crew->work(crew->context, member->index);
    return NULL;
}

enum status crew_start(struct crew **out, const char *name, unsigned count,
                       crew_work *work, void *context, struct error *err)
{
    struct crew *crew = calloc(1, sizeof *crew + count * sizeof crew->member[0]);

    assert(count > 0);
    if (crew == NULL)
        return error_sys(err, ENOMEM, "%u threads", count);
    crew->name = name;
    crew->work = work;
    crew->context = context;
    pthread_mutex_init(&crew->shared.lock, NULL);
    pthread_cond_init(&crew->shared.changed, NULL);

    while (crew->count < count) {
        struct member *member = &crew->member[crew->count];
        int rc;

        member->crew = crew;
        member->index = crew->count;
        rc = pthread_create(&member->thread, NULL, member_run, member);
        if (rc != 0) {
            error_sys(err, rc, "start thread %u of %u", crew->count + 1, count);
            gate_set(crew, GATE_ABANDONED);
            crew_join(&crew);
            return ST_SYSTEM;
        }
        crew->count++;
    }
    gate_set(crew, GATE_OPEN);
    *out = crew;
    return ST_OK;
}

void crew_join(struct crew **crew)
{
    struct crew *c = *crew;

    if (c == NULL)
        return;
    for (unsigned i = 0; i < c->count; i++)
        pthread_join(c->member[i].thread, NULL);
    pthread_cond_destroy(&c->shared.changed);
    pthread_mutex_destroy(&c->shared.lock);
    free(c);
    *crew = NULL;
}
