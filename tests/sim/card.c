// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The journal without its thread.
#include "tests/sim/card.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/mem.h"

enum {
	CAP = 64 * 1024 * 1024,
	FORGET_MS = 3600 * 1000,
	TAIL_MAX = 9000, ///< bytes of a torn commit
};
static const int64_t KEEP_MS = INT64_C(7) * 24 * 3600 * 1000;

static void give_up(const char *what, int result)
{
	fprintf(stderr, "sim: %s: %s\n", what, strerror(-result));
	abort();
}

static void add(struct sim_texts *texts, const char *text)
{
	if (texts->count == texts->room) {
		texts->room = texts->room ? 2 * texts->room : 16;
		texts->items = sp_realloc(texts->items, texts->room * sizeof(char *));
	}
	texts->items[texts->count++] = text ? sp_strdup(text) : NULL;
}

static void clear(struct sim_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->items[i]);
	texts->count = 0;
}

// ---- commits ------------------------------------------------------------------------------------------

/// The fingerprint of a run: each record as it goes to the card, in order.
static void digest(struct sim_card *card, const char *text)
{
	char *both = sp_asprintf("%s%s", card->digest, text);
	sp_digest(both, strlen(both), card->digest);
	free(both);
	card->records++;
}

static void commit(struct sim_card *card, bool bulk, bool clean)
{
	struct sp_journal_commit what = {.clean = clean};
	struct sp_journal_small *small = sp_alloc((card->keys.count + 1) * sizeof(*small));
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		if (cls == SP_RECORD_BULK && !bulk)
			continue;
		what.records[cls] = (const char *const *)card->texts[cls].items;
		what.count[cls] = card->texts[cls].count;
	}
	for (size_t i = 0; i < card->keys.count; i++)
		small[i] = (struct sp_journal_small){card->keys.items[i], card->values.items[i]};
	what.small = small;
	what.small_count = card->keys.count;
	int result = sp_journal_store_commit(card->store, &what, sp_loop_now_us(card->loop) / 1000);
	if (result)
		give_up("commit", result);
	bool news = false;
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++) {
		for (size_t i = 0; i < what.count[cls]; i++)
			digest(card, what.records[cls][i]);
		news |= what.count[cls] > 0;
		if (what.count[cls] > 0)
			clear(&card->texts[cls]);
	}
	clear(&card->keys);
	clear(&card->values);
	free(small);
	card->commits++;
	if (news && card->news)
		card->news(card->news_arg);
}

static void on_soon(void *arg)
{
	struct sim_card *card = arg;
	card->soon_due = false;
	commit(card, false, false);
}

static void on_bulk(void *arg)
{
	struct sim_card *card = arg;
	card->bulk_due = false;
	commit(card, true, false);
}

static void on_forget(void *arg)
{
	struct sim_card *card = arg;
	int result = sp_journal_store_forget(card->store, sp_loop_now_us(card->loop) / 1000);
	if (result)
		give_up("forget", result);
	sp_journal_store_hour(card->store);
	sp_loop_timer_start(card->loop, card->forget, FORGET_MS);
}

static void soon(struct sim_card *card)
{
	if (!card->soon_due)
		sp_loop_timer_start(card->loop, card->soon, 0);
	card->soon_due = true;
}

static int record(struct sp_recorder *recorder, enum sp_record_class cls, const char *type,
		  const char *device, const struct sp_field *fields, size_t count, sp_journal_done_fn done,
		  void *arg)
{
	struct sim_card *card = (struct sim_card *)recorder;
	struct sp_clock_reading when = sp_clock_now();
	struct sp_buf text = SP_BUF(SP_FEED_RECORD_MAX + 1);
	int result = sp_feed_record(&text, type, device, &when, fields, count);
	(void)done, (void)arg; // no driver here waits for its record
	if (result == 0) {
		if (card->heard && !card->dying)
			card->heard(card->heard_arg, type, device ? device : "", fields, count);
		add(&card->texts[cls], text.data);
		if (cls != SP_RECORD_BULK)
			soon(card);
		else if (!card->bulk_due)
			sp_loop_timer_start(card->loop, card->bulk, SIM_BULK_MS);
		card->bulk_due |= cls == SP_RECORD_BULK;
	}
	sp_buf_free(&text);
	return result;
}

void sim_card_put(struct sim_card *card, const char *key, const char *value)
{
	add(&card->keys, key);
	add(&card->values, value);
	soon(card);
}

char *sim_card_get(struct sim_card *card, const char *key)
{
	return sp_journal_store_get(card->store, key);
}

// ---- openings and ends --------------------------------------------------------------------------------

bool sim_card_init(struct sim_card *card, uint64_t seed)
{
	*card = (struct sim_card){.recorder = {.record = record}, .rng = sim_rng_fork(seed, 'j')};
	// In memory where there is such a place: a month has some ten thousand commits, each of them synced.
	const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(card->dir, sizeof(card->dir), "%s/sp-sim-XXXXXX", parent);
	if (!mkdtemp(card->dir)) {
		perror(card->dir);
		return false;
	}
	snprintf(card->path, sizeof(card->path), "%s/journal.db", card->dir);
	return true;
}

static void close_all(struct sim_card *card)
{
	sp_loop_timer_free(card->loop, card->soon);
	sp_loop_timer_free(card->loop, card->bulk);
	sp_loop_timer_free(card->loop, card->forget);
	card->soon = card->bulk = card->forget = NULL;
	card->soon_due = card->bulk_due = false;
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		clear(&card->texts[cls]);
	clear(&card->keys);
	clear(&card->values);
	sp_journal_store_close(card->store);
	card->store = NULL;
}

void sim_card_free(struct sim_card *card, bool keep)
{
	static const char *const names[] = {"journal.db", "journal.db-wal", "journal.db-shm", "resolv.conf",
					    "hub.db",     "hub.db-wal",     "hub.db-shm"};
	if (card->store)
		close_all(card);
	for (int cls = 0; cls < SP_RECORD_CLASSES; cls++)
		free(card->texts[cls].items);
	free(card->keys.items);
	free(card->values.items);
	for (size_t i = 0; !keep && i < SP_COUNT(names); i++) {
		char path[192];
		snprintf(path, sizeof(path), "%s/%s", card->dir, names[i]);
		unlink(path);
	}
	if (!keep)
		rmdir(card->dir);
}

void sim_card_open(struct sim_card *card, struct sp_loop *loop, const char *boot)
{
	struct sp_journal_store_config config = {
	    .path = card->path, .cap_bytes = CAP, .keep_acked_ms = KEEP_MS, .boot = boot};
	card->loop = loop;
	card->dying = false;
	int result = sp_journal_store_open(&card->store, &config, sp_loop_now_us(loop) / 1000);
	if (result)
		give_up("journal", result);
	if (card->store->set_aside)
		give_up("the journal was set aside", -EUCLEAN);
	card->soon = sp_loop_timer_new(loop, on_soon, card);
	card->bulk = sp_loop_timer_new(loop, on_bulk, card);
	card->forget = sp_loop_timer_new(loop, on_forget, card);
	sp_loop_timer_start(loop, card->forget, FORGET_MS);
}

void sim_card_close(struct sim_card *card)
{
	commit(card, true, true);
	close_all(card);
}

/// The file and its WAL under another name, so that closing the handle does not tidy them up.
static void copy(const char *from, const char *to)
{
	FILE *in = fopen(from, "rbe"), *out = fopen(to, "wbe");
	char data[65536];
	size_t length;
	if (!in || !out)
		give_up(in ? to : from, -errno);
	while ((length = fread(data, 1, sizeof(data), in)) > 0)
		if (fwrite(data, 1, length, out) != length)
			give_up(to, -errno);
	fclose(in);
	if (fclose(out))
		give_up(to, -errno);
}

static void name(const struct sim_card *card, const char *suffix, char out[192])
{
	snprintf(out, 192, "%s%s", card->path, suffix);
}

void sim_card_kill(struct sim_card *card)
{
	char wal[192], kept[192], kept_wal[192];
	name(card, "-wal", wal);
	name(card, ".kept", kept);
	name(card, ".kept-wal", kept_wal);
	copy(card->path, kept);
	copy(wal, kept_wal);
	close_all(card);
	if (rename(kept, card->path) || rename(kept_wal, wal))
		give_up("rename", -errno);
}

void sim_card_cut(struct sim_card *card)
{
	char wal[192];
	name(card, "-wal", wal);
	sim_card_kill(card);
	// The beginning of a commit that never ended, or what a card makes of it.
	int64_t tail = sim_rng_between(&card->rng, 0, TAIL_MAX);
	FILE *file = fopen(wal, "abe");
	for (int64_t i = 0; file && i < tail; i++)
		fputc((int)(sim_rng_next(&card->rng) & 255), file);
	if (!file || fclose(file))
		give_up(wal, -errno);
	card->torn++;
}
