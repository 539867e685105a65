// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Programs of ours in processes of their own: a helper that needs a right, or whose input must not reach the
// agent's memory, or that is to be gone with all its memory when it is done. A child begins with nothing of
// the agent but its standard error and its user; it dies with the agent, and it leaves no zombie.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/core/loop.h"
#include "schoolpulse/err.h"

struct sp_children;      ///< those of one owner
struct sp_child_process; ///< one of them

enum {
	/// CAP_NET_RAW for it, if we have that; it never has another capability, nor can it gain one.
	SP_CHILD_RAW = 1,
};
enum { SP_CHILD_LINE_MAX = 8192 };

struct sp_child_process_events {
	/// A line of its standard output, without the line break but with a terminating NUL behind it, at
	/// most SP_CHILD_LINE_MAX bytes: a longer one ends the child. What stands behind its last line
	/// break when it ends is not delivered. May be NULL: thrown away.
	void (*line)(void *arg, const char *line, size_t length);
	/// It is gone, and all its lines are delivered: exit status, or -signal. Then the child is freed.
	/// May be NULL.
	void (*ended)(void *arg, int status);
};

/// Never NULL.
struct sp_children *sp_children_new(struct sp_loop *loop);
/// Kills those that are left, without ended(), and waits for them: milliseconds, two seconds at most. Not
/// from within a callback of a child. NULL is fine.
void sp_children_free(struct sp_children *children);

/// Runs `path` with `argv` (argv[0] the program's name, NULL at the end), its standard input empty. From the
/// thread of the loop only, and that thread must live as long as the children do. `events` must outlive the
/// child. Returns once the program runs; NULL and errno: ENOENT, EACCES, EAGAIN, …
struct sp_child_process *sp_child_process_start(struct sp_children *children, const char *path,
						const char *const *argv, unsigned flags,
						const struct sp_child_process_events *events, void *arg);
/// Asks it to end (SIGTERM) and kills it when it has not within `grace_ms`; ended() tells when it is gone.
void sp_child_process_end(struct sp_child_process *child, int64_t grace_ms);
/// Kills it at once; none of its events comes any more, and the child is not the caller's any more. NULL is
/// fine.
void sp_child_process_stop(struct sp_child_process *child);

/// The path of a program that lies beside the agent's own; `size` ≥ PATH_MAX. 0 or -errno.
int sp_child_beside(const char *program, char *path, size_t size) SP_MUST_CHECK;

// ---- process_exec.c: between fork and exec ----------------------------------------------------------

struct sp_child_launch {
	const char *path;
	const char *const *argv;
	const char *const *envp;
	bool raw;
	int input, output,
	    failure; ///< failure: close-on-exec; an errno is written to it when there is no exec
	int parent;  ///< our process id
};

/// In the child, all signals blocked: makes it what child.h says, and runs the program. Async-signal-safe.
void sp_child_exec(const struct sp_child_launch *launch) __attribute__((noreturn));
