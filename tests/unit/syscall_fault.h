/* SPDX-License-Identifier: MIT */
/*
 * syscall_fault -- lets one system call fail, in a process of its own.
 *
 * A seccomp filter cannot be taken off again, so it lives in a forked child; the body
 * returns 0, or a number that tells which of its steps went wrong.
 */
#ifndef TESTS_UNIT_SYSCALL_FAULT_H
#define TESTS_UNIT_SYSCALL_FAULT_H

#include <check.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct syscall_fault {
    long number;       /* SYS_... */
    unsigned argument; /* fails only when this argument, */
    uint32_t mask;     /* has all of these bits; 0: always */
    int sys;           /* errno */
};

static inline int syscall_fault_install(const struct syscall_fault *fault)
{
    const struct seccomp_data *data = NULL;
    uint32_t low_word = (uint32_t)(offsetof(struct seccomp_data, args) +
                                   fault->argument * sizeof data->args[0]);
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)fault->number, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low_word),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, fault->mask),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, fault->mask, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)fault->sys),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof program[0],
                                .filter = program};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

/* Asserts that body returns 0 under the fault. */
static inline void syscall_fault_run(const struct syscall_fault *fault,
                                     int (*body)(void))
{
    enum { NO_SECCOMP = 77 };
    int outcome = -1;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(syscall_fault_install(fault) == 0 ? body() : NO_SECCOMP);
    ck_assert_int_eq(waitpid(child, &outcome, 0), child);
    ck_assert(WIFEXITED(outcome));
    if (WEXITSTATUS(outcome) != NO_SECCOMP)
        ck_assert_int_eq(WEXITSTATUS(outcome), 0);
}

#endif
