/* SPDX-License-Identifier: MIT */
#include "receiver/jobs.h"

#include "common/crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct jobs {
    struct crew *crew; /* start's and stop's */
    struct {
        pthread_mutex_t lock; /* guards everything in here */
        pthread_cond_t changed;
        struct job *first, **last;
        bool stopping;
    } shared;
};

static struct job *take(struct jobs *jobs)
{
    struct job *job;

    pthread_mutex_lock(&jobs->shared.lock);
    while (!jobs->shared.first && !jobs->shared.stopping)
        pthread_cond_wait(&jobs->shared.changed, &jobs->shared.lock);
    job = jobs->shared.first;
    if (job) {
        jobs->shared.first = job->next;
        if (!job->next)
            jobs->shared.last = &jobs->shared.first;
    }
    pthread_mutex_unlock(&jobs->shared.lock);
    return job;
}

static void work(void *context, unsigned index)
{
    struct jobs *jobs = context;
    struct job *job;

    (void)index;
    while ((job = take(jobs)) != NULL)
        job->run(job);
}

static void stop_crew(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->shared.lock);
    jobs->shared.stopping = true;
    pthread_cond_broadcast(&jobs->shared.changed);
    pthread_mutex_unlock(&jobs->shared.lock);
    crew_join(&jobs->crew);
    pthread_cond_destroy(&jobs->shared.changed);
    pthread_mutex_destroy(&jobs->shared.lock);
    free(jobs);
}

enum status jobs_start(struct jobs **out, const char *name, unsigned threads,
                       struct error *err)
{
    struct jobs *jobs = calloc(1, sizeof(*jobs));
    enum status st;

    if (!jobs)
        return error_sys(err, ENOMEM, "start the %s threads", name);
    pthread_mutex_init(&jobs->shared.lock, NULL);
    pthread_cond_init(&jobs->shared.changed, NULL);
    jobs->shared.last = &jobs->shared.first;
    st = crew_start(&jobs->crew, name, threads, work, jobs, err);
    if (st != ST_OK) {
        stop_crew(jobs);
        return st;
    }
    *out = jobs;
    return ST_OK;
}

void jobs_stop(struct jobs **jobs)
{
    if (!*jobs)
        return;
    stop_crew(*jobs);
    *jobs = NULL;
}

void jobs_submit(struct jobs *jobs, struct job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&jobs->shared.lock);
    *jobs->shared.last = job;
    jobs->shared.last = &job->next;
    pthread_cond_signal(&jobs->shared.changed);
    pthread_mutex_unlock(&jobs->shared.lock);
}
