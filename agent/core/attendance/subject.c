// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Requests of persons (subject.h).
#include "agent/core/attendance/subject.h"

#include <errno.h>
#include <string.h>

#include "agent/base/mem.h"
#include "schoolpulse/log.h"

/// One request under way.
struct job {
	struct sp_subject *subject;
	sp_subject_done_fn done; ///< NULL: nobody waits, or he has gone
	void *arg;
	bool forget;
	int64_t erased;
	struct sp_refused_pending who;
	cJSON *events; ///< only the journal's thread, until the walk is over
	size_t bytes, left_out;
};

struct sp_subject {
	struct sp_subject_config config;
	char *dir;
	struct sp_refused refused;
	struct job *job;
};

// ---- whom -------------------------------------------------------------------------------------------------

int sp_subject_new(struct sp_subject **out, const struct sp_subject_config *config)
{
	struct sp_subject *subject = sp_alloc(sizeof(*subject));
	subject->config = *config;
	subject->dir = sp_strdup(config->state_dir);
	int result = sp_refused_load(&subject->refused, subject->dir);
	if (result) {
		sp_subject_free(subject);
		return result;
	}
	*out = subject;
	return 0;
}

static void end(struct job *job, int result, cJSON *answer)
{
	struct sp_subject *subject = job->subject;
	subject->job = NULL;
	if (job->done)
		job->done(job->arg, result, answer);
	else
		cJSON_Delete(answer);
	cJSON_Delete(job->events);
	explicit_bzero(&job->who, sizeof(job->who));
	free(job);
}

void sp_subject_free(struct sp_subject *subject)
{
	if (!subject)
		return;
	if (subject->job)
		end(subject->job, -ECANCELED, NULL);
	sp_refused_free(&subject->refused);
	free(subject->dir);
	free(subject);
}

const struct sp_refused *sp_subject_list(const struct sp_subject *subject)
{
	return &subject->refused;
}

bool sp_subject_refuses(const struct sp_subject *subject, enum sp_person_kind kind, const char *person,
			size_t length)
{
	const struct sp_key_set *set = subject->config.keys(subject->config.arg);
	uint8_t digest[SP_REFUSED_DIGEST];
	if (!set || subject->refused.count == 0)
		return false;
	sp_refused_digest(set->event, kind, person, length, digest);
	return sp_refused_has(&subject->refused, digest);
}

int sp_subject_merge(struct sp_subject *subject, const uint8_t (*persons)[SP_REFUSED_DIGEST], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (sp_refused_add(&subject->refused, persons[i]))
			return -ENOSPC;
	return sp_refused_save(&subject->refused, subject->dir);
}

static struct job *begin(struct sp_subject *subject, sp_subject_done_fn done, void *arg)
{
	struct job *job = sp_alloc(sizeof(*job));
	*job = (struct job){.subject = subject, .done = done, .arg = arg};
	subject->job = job;
	return job;
}

/// The person's pseudonyms of all years.
static int name_person(const struct sp_subject *subject, enum sp_person_kind kind, const char *person,
		       size_t length, struct sp_refused_pending *out)
{
	const struct sp_key_set *set = subject->config.keys(subject->config.arg);
	*out = (struct sp_refused_pending){0};
	if (!set)
		return -ENOKEY;
	if (subject->job || subject->refused.pending.request[0])
		return -EBUSY;
	for (size_t i = 0; i < set->count; i++)
		sp_person_pseudonym(set->years[i].key, kind, person, length, out->persons[out->count++]);
	sp_id_new(out->request);
	return out->count ? 0 : -ENODATA;
}

// ---- the fact ---------------------------------------------------------------------------------------------

static cJSON *answer_of(const struct job *job)
{
	cJSON *answer = cJSON_CreateObject(), *persons = cJSON_AddArrayToObject(answer, "persons");
	cJSON_AddStringToObject(answer, "request", job->who.request);
	for (size_t i = 0; i < job->who.count; i++)
		cJSON_AddItemToArray(persons, cJSON_CreateString(job->who.persons[i]));
	return answer;
}

static void forgotten(void *arg, int result)
{
	struct job *job = arg;
	struct sp_subject *subject = job->subject;
	if (!result) {
		struct sp_refused_pending pending = subject->refused.pending;
		subject->refused.pending = (struct sp_refused_pending){0};
		result = sp_refused_save(&subject->refused, subject->dir);
		// All is done; only the note is still there, and the next start does it again.
		if (result)
			subject->refused.pending = pending;
	}
	cJSON *answer = result ? NULL : answer_of(job);
	if (answer)
		cJSON_AddNumberToObject(answer, "erased", (double)job->erased);
	end(job, result, answer);
}

static void exported(void *arg, int result)
{
	struct job *job = arg;
	cJSON *answer = result ? NULL : answer_of(job);
	if (answer) {
		cJSON_AddNumberToObject(answer, "left_out", (double)job->left_out);
		cJSON_AddItemToObject(answer, "events", job->events);
		job->events = NULL;
	}
	end(job, result, answer);
}

static int record(struct job *job, sp_journal_done_fn done)
{
	struct sp_field persons[SP_KEY_YEARS_MAX], fields[5];
	size_t count = 0;
	for (size_t i = 0; i < job->who.count; i++)
		persons[i] = SP_TEXT("", job->who.persons[i]);
	fields[count++] = SP_TEXT("request", job->who.request);
	fields[count++] = SP_TEXT("action", job->forget ? "forget" : "export");
	fields[count++] = SP_LIST("persons", persons, job->who.count);
	if (job->who.once)
		fields[count++] = SP_BOOL("once", true);
	fields[count++] = SP_INT("erased", job->erased);
	return sp_record(job->subject->config.recorder, SP_RECORD_FACTS, "subject_request", NULL, fields,
			 count, done, job);
}

// ---- to forget --------------------------------------------------------------------------------------------

static void erased(void *arg, int result, int64_t count)
{
	struct job *job = arg;
	job->erased = count;
	if (!result)
		result = record(job, forgotten);
	if (result)
		end(job, result, NULL);
}

static int erase(struct job *job)
{
	const char *persons[SP_KEY_YEARS_MAX];
	for (size_t i = 0; i < job->who.count; i++)
		persons[i] = job->who.persons[i];
	const struct sp_subject_config *config = &job->subject->config;
	return config->erase(config->arg, persons, job->who.count, erased, job);
}

int sp_subject_forget(struct sp_subject *subject, enum sp_person_kind kind, const char *person, size_t length,
		      bool once, sp_subject_done_fn done, void *arg)
{
	struct sp_refused_pending who;
	uint8_t digest[SP_REFUSED_DIGEST];
	int result = name_person(subject, kind, person, length, &who);
	if (result)
		return result;
	who.once = once;
	sp_refused_digest(subject->config.keys(subject->config.arg)->event, kind, person, length, digest);
	bool before = sp_refused_has(&subject->refused, digest);
	if (!once)
		result = sp_refused_add(&subject->refused, digest);
	subject->refused.pending = who;
	if (!result)
		result = sp_refused_save(&subject->refused, subject->dir);
	if (result) {
		subject->refused.pending = (struct sp_refused_pending){0};
		if (!once && !before)
			sp_refused_remove(&subject->refused, digest);
		return result;
	}
	struct job *job = begin(subject, done, arg);
	job->forget = true;
	job->who = who;
	result = erase(job);
	if (result) {
		// The note stays: it is done at the next start.
		job->done = NULL;
		end(job, result, NULL);
	}
	return result;
}

static void resumed(void *arg, int result, cJSON *answer)
{
	(void)arg;
	cJSON_Delete(answer);
	if (result)
		sp_err("attendance",
		       "an erasure that was interrupted cannot be finished: %s; the next start tries again",
		       strerror(-result));
	else
		sp_notice("attendance", "an erasure that was interrupted is finished");
}

void sp_subject_resume(struct sp_subject *subject)
{
	if (!subject->refused.pending.request[0] || subject->job)
		return;
	struct job *job = begin(subject, resumed, NULL);
	job->forget = true;
	job->who = subject->refused.pending;
	int result = erase(job);
	if (result)
		end(job, result, NULL);
}

int sp_subject_remember(struct sp_subject *subject, enum sp_person_kind kind, const char *person,
			size_t length)
{
	const struct sp_key_set *set = subject->config.keys(subject->config.arg);
	uint8_t digest[SP_REFUSED_DIGEST];
	if (!set)
		return -ENOKEY;
	sp_refused_digest(set->event, kind, person, length, digest);
	if (!sp_refused_remove(&subject->refused, digest))
		return -ENOENT;
	int result = sp_refused_save(&subject->refused, subject->dir);
	if (result && sp_refused_add(&subject->refused, digest))
		return result;
	return result;
}

// ---- to export --------------------------------------------------------------------------------------------

static bool look_at(void *arg, const char *text)
{
	struct job *job = arg;
	bool his = false;
	for (size_t i = 0; i < job->who.count && !his; i++)
		his = strstr(text, job->who.persons[i]) != NULL;
	if (!his)
		return true;
	size_t length = strlen(text);
	cJSON *json = job->bytes + length <= SP_SUBJECT_BYTES_MAX &&
			      cJSON_GetArraySize(job->events) < SP_SUBJECT_EVENTS_MAX
			  ? cJSON_Parse(text)
			  : NULL;
	job->bytes += json ? length : 0;
	if (json)
		cJSON_AddItemToArray(job->events, json);
	else
		job->left_out++;
	return true;
}

static void looked(void *arg, int result)
{
	struct job *job = arg;
	if (!result)
		result = record(job, exported);
	if (result)
		end(job, result, NULL);
}

int sp_subject_export(struct sp_subject *subject, enum sp_person_kind kind, const char *person, size_t length,
		      sp_subject_done_fn done, void *arg)
{
	struct sp_refused_pending who;
	int result = name_person(subject, kind, person, length, &who);
	if (result)
		return result;
	struct job *job = begin(subject, done, arg);
	job->who = who;
	job->events = cJSON_CreateArray();
	result = subject->config.events(subject->config.arg, look_at, looked, job);
	if (result) {
		job->done = NULL;
		end(job, result, NULL);
	}
	return result;
}
