// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The agent's side of persons' rights: counts, requests, and the back-up of keys between attendance, journal
// and local clients.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/mem.h"
#include "agent/base/secret.h"
#include "agent/core/agent/priv.h"
#include "agent/core/attendance/backup.h"
#include "agent/core/attendance/counts.h"
#include "agent/core/attendance/number.h"
#include "agent/core/attendance/subject.h"
#include "schoolpulse/log.h"

/// A client that waits for an answer.
struct waiter {
	struct waiter *next;
	struct sp_agent *agent;
	struct sp_control_stream *stream; ///< NULL: it has left
	struct restoring *restoring;
};

struct sp_privacy {
	struct sp_counts *counts; ///< NULL: nothing is counted
	struct sp_subject *subject;
	struct sp_backup *backup;
	struct waiter *waiters;
};

/// Keys on their way back.
struct restoring {
	struct sp_key_set *keys; ///< secret.h
	struct sp_refused refused;
	uint8_t recipient[SP_SEAL_KEY];
	int64_t own; ///< events on the card, counted by the journal's thread
};

// ---- hooks ------------------------------------------------------------------------------------------------

bool sp_agent_forgotten(void *arg, enum sp_person_kind kind, const char *person, size_t length)
{
	const struct sp_agent *agent = arg;
	return agent->privacy && sp_subject_refuses(agent->privacy->subject, kind, person, length);
}

void sp_agent_accepted(void *arg, const struct sp_attendance_event *event)
{
	const struct sp_agent *agent = arg;
	if (agent->privacy && agent->privacy->counts)
		sp_counts_event(agent->privacy->counts, event);
}

static const struct sp_key_set *key_set(void *arg)
{
	struct sp_agent *agent = arg;
	const struct sp_keys *keys = sp_attendance_keys(agent->attendance);
	return keys ? sp_keys_set(keys) : NULL;
}

static const uint8_t *year_key(void *arg, int32_t year)
{
	struct sp_agent *agent = arg;
	const struct sp_keys *keys = sp_attendance_keys(agent->attendance);
	return keys ? sp_keys_find(keys, year) : NULL;
}

static int on_events(void *arg, bool (*event)(void *event_arg, const char *record), sp_journal_done_fn done,
		     void *done_arg)
{
	struct sp_agent *agent = arg;
	return sp_journal_events(agent->journal, event, done, done_arg);
}

static int on_erase(void *arg, const char *const *persons, size_t count, sp_journal_count_fn done,
		    void *done_arg)
{
	struct sp_agent *agent = arg;
	return sp_journal_erase(agent->journal, persons, count, done, done_arg);
}

// ---- counts -----------------------------------------------------------------------------------------------

struct counting {
	struct sp_agent *agent;
	struct sp_counts_replay *replay;
};

static bool replay_event(void *arg, const char *record)
{
	struct counting *counting = arg;
	sp_counts_replay_add(counting->replay, record);
	return true;
}

static void replayed(void *arg, int result)
{
	struct counting *counting = arg;
	if (result)
		sp_err("attendance", "events of before this start are not counted: %s", strerror(-result));
	struct sp_privacy *privacy = counting->agent->privacy;
	sp_counts_replay_end(privacy ? privacy->counts : NULL, counting->replay);
	free(counting);
}

static void open_counts(struct sp_agent *agent)
{
	const struct sp_settings *settings = agent->settings;
	if (settings->attendance.publish != SP_PUBLISH_COUNTS ||
	    !sp_attendance_allowed(&settings->attendance) || !key_set(agent))
		return;
	const char **names = sp_alloc((settings->device_count + 1) * sizeof(*names));
	size_t count = 0;
	for (size_t i = 0; i < settings->device_count; i++)
		if (settings->devices[i].driver->cls == SP_DRIVER_KIOSK)
			names[count++] = settings->devices[i].name;
	agent->privacy->counts = sp_counts_new(&(struct sp_counts_config){.conf = &settings->attendance,
									  .kiosks = names,
									  .kiosk_count = count,
									  .recorder = &agent->recorder.base,
									  .put = sp_agent_put,
									  .get = sp_agent_get,
									  .year_key = year_key,
									  .arg = agent});
	free(names);
	struct counting *counting = sp_alloc(sizeof(*counting));
	*counting = (struct counting){agent, sp_counts_replay_new()};
	int result = sp_journal_events(agent->journal, replay_event, replayed, counting);
	if (result)
		replayed(counting, result);
}

// ---- life -------------------------------------------------------------------------------------------------

int sp_agent_open_privacy(struct sp_agent *agent)
{
	// Also where nothing may be taken any more: what was taken is still somebody's.
	if (!sp_attendance_allowed(&agent->settings->attendance) && !key_set(agent))
		return 0;
	struct sp_privacy *privacy = sp_alloc(sizeof(*privacy));
	int result = sp_subject_new(&privacy->subject,
				    &(struct sp_subject_config){.state_dir = agent->settings->agent.state_dir,
								.recorder = &agent->recorder.base,
								.keys = key_set,
								.events = on_events,
								.erase = on_erase,
								.arg = agent});
	if (result) {
		sp_err("attendance", "no event of a kiosk is taken: %s/%s, whom must be forgotten: %s",
		       agent->settings->agent.state_dir, SP_REFUSED_FILE, strerror(-result));
		free(privacy);
		return result;
	}
	privacy->backup =
	    sp_backup_new(&(struct sp_backup_config){.state_dir = agent->settings->agent.state_dir,
						     .recorder = &agent->recorder.base,
						     .put = sp_agent_put,
						     .get = sp_agent_get,
						     .arg = agent});
	agent->privacy = privacy;
	sp_subject_resume(privacy->subject);
	open_counts(agent);
	return 0;
}

void sp_agent_look_at_privacy(struct sp_agent *agent)
{
	struct sp_privacy *privacy = agent->privacy;
	if (!privacy)
		return;
	if (privacy->counts)
		sp_counts_look(privacy->counts);
	sp_backup_look(privacy->backup, key_set(agent), sp_subject_list(privacy->subject));
}

static void free_restoring(struct restoring *restoring)
{
	if (!restoring)
		return;
	sp_secret_free(restoring->keys, sizeof(*restoring->keys));
	sp_refused_free(&restoring->refused);
	free(restoring);
}

void sp_agent_close_privacy(struct sp_agent *agent)
{
	struct sp_privacy *privacy = agent->privacy;
	if (!privacy)
		return;
	sp_subject_free(privacy->subject);
	while (privacy->waiters) {
		struct waiter *waiter = privacy->waiters;
		privacy->waiters = waiter->next;
		free_restoring(waiter->restoring);
		free(waiter);
	}
	sp_counts_free(privacy->counts);
	sp_backup_free(privacy->backup);
	free(privacy);
	agent->privacy = NULL;
}

// ---- clients that wait ------------------------------------------------------------------------------------

static struct waiter *wait_for(struct sp_agent *agent, struct sp_control_stream *stream)
{
	struct waiter *waiter = sp_alloc(sizeof(*waiter));
	*waiter = (struct waiter){agent->privacy->waiters, agent, stream, NULL};
	agent->privacy->waiters = waiter;
	return waiter;
}

static void drop_waiter(struct waiter *waiter)
{
	struct waiter **at = &waiter->agent->privacy->waiters;
	while (*at != waiter)
		at = &(*at)->next;
	*at = waiter->next;
	free_restoring(waiter->restoring);
	free(waiter);
}

bool sp_agent_privacy_gone(struct sp_agent *agent, const struct sp_control_stream *stream)
{
	for (struct waiter *it = agent->privacy ? agent->privacy->waiters : NULL; it; it = it->next) {
		if (it->stream != stream)
			continue;
		// What was begun is done to its end.
		it->stream = NULL;
		return true;
	}
	return false;
}

static const char *why_not(int result)
{
	switch (-result) {
	case ENOKEY:
		return "the keys of attendance cannot be read";
	case EBUSY:
		return "another such request is under way: try again in a moment";
	case ENODATA:
		return "no event of a kiosk was ever taken here";
	case ENOENT:
		return "events of this person are not refused";
	case EEXIST:
		return "events were taken here under keys of this board's own, and could never be forgotten: "
		       "restore before the first kiosk is connected, with a new state_dir";
	case ECANCELED:
		return "the agent is stopping; what was begun is finished at its next start";
	default:
		return strerror(-result);
	}
}

/// Takes `answer`, which may be NULL.
static void reply(struct waiter *waiter, int result, cJSON *answer)
{
	if (!answer)
		answer = cJSON_CreateObject();
	cJSON_AddBoolToObject(answer, "ok", result == 0);
	if (result)
		cJSON_AddStringToObject(answer, "error", why_not(result));
	char *text = cJSON_PrintUnformatted(answer);
	if (waiter->stream)
		sp_control_stream_end(waiter->stream,
				      text ? text : "{\"ok\":false,\"error\":\"out of memory\"}");
	cJSON_free(text);
	cJSON_Delete(answer);
	drop_waiter(waiter);
}

static void on_subject_done(void *arg, int result, cJSON *answer)
{
	reply(arg, result, answer);
}

static const char *begin_subject(struct sp_agent *agent, const struct sp_control_request *request,
				 struct sp_control_stream *stream, cJSON **root)
{
	struct sp_subject *subject = agent->privacy->subject;
	char number[SP_PERSON_MAX + 1];
	size_t length = sp_number_read(request->kind, request->person, strlen(request->person), number);
	if (length == 0)
		return "this is no number of that kind";
	struct waiter *waiter = wait_for(agent, stream);
	int result = -EINVAL;
	if (request->command == SP_CONTROL_FORGET)
		result = sp_subject_forget(subject, request->kind, number, length, request->once,
					   on_subject_done, waiter);
	else if (request->command == SP_CONTROL_EXPORT)
		result = sp_subject_export(subject, request->kind, number, length, on_subject_done, waiter);
	else
		result = sp_subject_remember(subject, request->kind, number, length);
	explicit_bzero(number, sizeof(number));
	if (result || request->command == SP_CONTROL_REMEMBER)
		drop_waiter(waiter);
	if (!result && request->command == SP_CONTROL_REMEMBER)
		*root = cJSON_CreateObject();
	return result ? why_not(result) : NULL;
}

// ---- keys -------------------------------------------------------------------------------------------------

cJSON *sp_answer_keys(struct sp_agent *agent)
{
	const struct sp_key_set *set = key_set(agent);
	char mark[SP_SEAL_MARK_TEXT + 1], fingerprint[9];
	cJSON *root = cJSON_CreateObject(), *years = cJSON_AddArrayToObject(root, "school_years");
	bool has_code = agent->privacy && sp_backup_mark(agent->privacy->backup, mark);
	cJSON_AddBoolToObject(root, "attendance", set != NULL);
	const char *refused = sp_attendance_refused(agent->attendance);
	if (refused)
		cJSON_AddStringToObject(root, "refused", refused);
	for (size_t i = 0; set && i < set->count; i++)
		cJSON_AddItemToArray(years, cJSON_CreateNumber(set->years[i].year));
	if (set) {
		sp_keys_fingerprint(sp_attendance_keys(agent->attendance), fingerprint);
		cJSON_AddStringToObject(root, "fingerprint", fingerprint);
	}
	cJSON_AddItemToObject(root, "mark", has_code ? cJSON_CreateString(mark) : cJSON_CreateNull());
	cJSON_AddNumberToObject(root, "persons_refused",
				agent->privacy ? (double)sp_subject_list(agent->privacy->subject)->count : 0);
	cJSON_AddStringToObject(root, "device", agent->device);
	return root;
}

static bool count_event(void *arg, const char *record)
{
	struct waiter *waiter = arg;
	if (strstr(record, "\"type\":\"punch\""))
		waiter->restoring->own++;
	return true;
}

static int put_back(struct sp_agent *agent, const struct restoring *restoring)
{
	struct sp_privacy *privacy = agent->privacy;
	// Whom to refuse comes first: with the keys alone their events would be taken.
	int result = sp_subject_merge(privacy->subject, restoring->refused.persons, restoring->refused.count);
	if (!result)
		result = sp_attendance_restore(agent->attendance, restoring->keys);
	if (!result)
		result = sp_backup_set_recipient(privacy->backup, restoring->recipient);
	if (!result && privacy->counts)
		sp_counts_new_keys(privacy->counts);
	if (!result)
		sp_notice("attendance", "the school's keys are back, school years: %zu",
			  restoring->keys->count);
	return result;
}

static void looked_for_own(void *arg, int result)
{
	struct waiter *waiter = arg;
	struct sp_agent *agent = waiter->agent;
	const struct sp_key_set *own = key_set(agent);
	cJSON *answer = NULL;
	// Events under keys that are given up could never be forgotten.
	if (!result && waiter->restoring->own > 0 && own &&
	    memcmp(own->event, waiter->restoring->keys->event, SP_KEY_LENGTH) != 0)
		result = -EEXIST;
	if (!result)
		result = put_back(agent, waiter->restoring);
	if (!result)
		answer = sp_answer_keys(agent);
	reply(waiter, result, answer);
}

/// NULL, or why the blob does not open.
static const char *open_blob(const struct sp_control_request *request, struct restoring *out)
{
	struct sp_seal_code code;
	unsigned group;
	size_t length = 0;
	if (sp_seal_code_parse(&code, request->code, &group))
		return "the recovery code is mistyped";
	uint8_t *text = sp_secret_new(SP_SEAL_DATA_MAX);
	int result = sp_seal_open(text, &length, &code, request->blob, strlen(request->blob));
	sp_seal_public(&code, out->recipient);
	explicit_bzero(&code, sizeof(code));
	if (!result)
		result = sp_backup_read(out->keys, &out->refused, (const char *)text, length);
	sp_secret_free(text, SP_SEAL_DATA_MAX);
	if (result == -EKEYREJECTED)
		return "this back-up is of another recovery code";
	return result ? "this is no whole key back-up: cut off, or changed" : NULL;
}

static const char *begin_restore(struct sp_agent *agent, const struct sp_control_request *request,
				 struct sp_control_stream *stream)
{
	struct waiter *waiter = wait_for(agent, stream);
	waiter->restoring = sp_alloc(sizeof(*waiter->restoring));
	waiter->restoring->keys = sp_secret_new(sizeof(*waiter->restoring->keys));
	const char *why = open_blob(request, waiter->restoring);
	int result = why ? 0 : sp_journal_events(agent->journal, count_event, looked_for_own, waiter);
	if (result)
		why = why_not(result);
	if (why)
		drop_waiter(waiter);
	return why;
}

const char *sp_agent_begin_privacy(struct sp_agent *agent, const struct sp_control_request *request,
				   struct sp_control_stream *stream, cJSON **root)
{
	if (!agent->privacy)
		return sp_attendance_allowed(&agent->settings->attendance)
			   ? "the list of whom must be forgotten cannot be read"
			   : "attendance is off: [attendance] legal_basis is not set";
	if (request->command == SP_CONTROL_KEYS_RESTORE)
		return begin_restore(agent, request, stream);
	if (request->command != SP_CONTROL_KEYS_CODE)
		return begin_subject(agent, request, stream, root);
	int result = sp_backup_set_recipient(agent->privacy->backup, request->key);
	if (!result)
		*root = sp_answer_keys(agent);
	return result ? why_not(result) : NULL;
}
