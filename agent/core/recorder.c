// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// From fields to a journalled record.
#include "agent/core/recorder.h"

#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/feed.h"
#include "schoolpulse/clock.h"
#include "schoolpulse/log.h"

static int journal_record(struct sp_recorder *recorder, enum sp_record_class cls, const char *type,
			  const char *device, const struct sp_field *fields, size_t count,
			  sp_journal_done_fn done, void *arg)
{
	struct sp_journal_recorder *self = (struct sp_journal_recorder *)recorder;
	struct sp_clock_reading when = recorder->when ? *recorder->when : sp_clock_now();
	struct sp_buf text = SP_BUF(SP_FEED_RECORD_MAX + 1);
	int result = sp_feed_record(&text, type, device, &when, fields, count);
	if (!result)
		result = sp_journal_append(self->journal, cls, text.data, done, arg);
	sp_buf_free(&text);
	return result;
}

void sp_journal_recorder_init(struct sp_journal_recorder *recorder, struct sp_journal *journal)
{
	*recorder = (struct sp_journal_recorder){.base = {.record = journal_record}, .journal = journal};
}

void sp_record_bulk_at(struct sp_recorder *recorder, const char *type, const char *device,
		       const struct sp_field *fields, size_t count, const struct sp_clock_reading *when)
{
	recorder->when = when;
	int result = sp_record(recorder, SP_RECORD_BULK, type, device, fields, count, NULL, NULL);
	recorder->when = NULL;
	if (result)
		sp_warning("record", "\"%s\" of %s not recorded: %s", type, device, strerror(-result));
}

void sp_record_fact(struct sp_recorder *recorder, const char *type, const char *device,
		    const struct sp_field *fields, size_t count)
{
	int result = sp_record(recorder, SP_RECORD_FACTS, type, device, fields, count, NULL, NULL);
	if (result)
		sp_warning("record", "fact \"%s\" of %s not recorded: %s", type,
			   device ? device : "the agent", strerror(-result));
}
