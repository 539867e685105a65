// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The shim: forwards to the default VFS, counts what changes a file, and keeps the old bytes of every
// write until it is synced.
#include "tests/unit/core/fault_vfs.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct undo {
	struct undo *next;
	sqlite3_int64 size; ///< of the file before
	sqlite3_int64 offset;
	int length; ///< 0: a truncate
	char old[];
};

struct fault_file {
	sqlite3_file base;
	struct fault_file *next;
	struct undo *undo;
	sqlite3_file *real; ///< behind this struct
};

static sqlite3_vfs shim, *under;
static sqlite3_io_methods methods;
static struct fault_file *open_files;
static struct {
	enum fault_kind kind;
	int at, operations;
	bool lasting, struck;
	unsigned survivors;
} fault;

void fault_vfs_arm(enum fault_kind kind, int at, bool lasting)
{
	fault.kind = kind;
	fault.at = at;
	fault.lasting = lasting;
	fault.operations = 0;
	fault.struck = false;
}

void fault_vfs_disarm(void)
{
	fault_vfs_arm(FAULT_NONE, 0, false);
}

void fault_vfs_survivors(unsigned seed)
{
	fault.survivors = seed;
}

int fault_vfs_operations(void)
{
	return fault.operations;
}

bool fault_vfs_struck(void)
{
	return fault.struck;
}

/// Does this operation fail?
static bool strikes(void)
{
	fault.operations++;
	if (fault.kind == FAULT_NONE)
		return false;
	bool hit = fault.operations == fault.at || (fault.lasting && fault.operations > fault.at);
	fault.struck = fault.struck || hit;
	return hit;
}

static struct fault_file *of(sqlite3_file *file)
{
	return (struct fault_file *)file;
}

static sqlite3_file *real(sqlite3_file *file)
{
	return of(file)->real;
}

static void forget_undo(struct fault_file *f)
{
	while (f->undo) {
		struct undo *next = f->undo->next;
		free(f->undo);
		f->undo = next;
	}
}

static void remember(struct fault_file *f, sqlite3_int64 offset, int length)
{
	struct undo *u = calloc(1, sizeof(*u) + (size_t)length);
	f->real->pMethods->xFileSize(f->real, &u->size);
	u->offset = offset;
	u->length = length;
	if (length > 0 && offset < u->size)
		(void)f->real->pMethods->xRead(f->real, u->old, length, offset);
	u->next = f->undo;
	f->undo = u;
}

/// A card may have written some of it, in any order.
static bool survives(void)
{
	if (fault.survivors == 0)
		return false;
	fault.survivors = fault.survivors * 1103515245u + 12345u;
	return (fault.survivors >> 16) % 2;
}

static void take_back(struct fault_file *f)
{
	for (struct undo *u = f->undo; u; u = u->next) {
		if (survives())
			continue;
		sqlite3_int64 end = u->offset + u->length;
		int length = end > u->size ? (int)(u->size - u->offset) : u->length;
		if (length > 0)
			f->real->pMethods->xWrite(f->real, u->old, length, u->offset);
		f->real->pMethods->xTruncate(f->real, u->size);
	}
	forget_undo(f);
}

void fault_vfs_power_cut(void)
{
	for (struct fault_file *f = open_files; f; f = f->next)
		take_back(f);
}

static int x_close(sqlite3_file *file)
{
	struct fault_file *f = of(file), **at = &open_files;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	if (fault.kind == FAULT_POWER && fault.struck)
		take_back(f);
	forget_undo(f);
	return f->real->pMethods->xClose(f->real);
}

static int x_read(sqlite3_file *file, void *data, int length, sqlite3_int64 offset)
{
	return real(file)->pMethods->xRead(real(file), data, length, offset);
}

static int x_write(sqlite3_file *file, const void *data, int length, sqlite3_int64 offset)
{
	if (strikes()) {
		if (fault.kind == FAULT_FULL)
			return SQLITE_FULL;
		if (fault.kind == FAULT_TORN)
			(void)real(file)->pMethods->xWrite(real(file), data, length / 2, offset);
		return SQLITE_IOERR_WRITE;
	}
	remember(of(file), offset, length);
	return real(file)->pMethods->xWrite(real(file), data, length, offset);
}

static int x_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	sqlite3_int64 before = 0;
	if (strikes())
		return SQLITE_IOERR_TRUNCATE;
	real(file)->pMethods->xFileSize(real(file), &before);
	if (size < before)
		remember(of(file), size, (int)(before - size));
	return real(file)->pMethods->xTruncate(real(file), size);
}

static int x_sync(sqlite3_file *file, int flags)
{
	if (strikes())
		return SQLITE_IOERR_FSYNC;
	// What a sync is good for is simulated: the real one would only cost time.
	(void)flags;
	forget_undo(of(file));
	return SQLITE_OK;
}

static int x_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real(file)->pMethods->xFileSize(real(file), size);
}

static int x_lock(sqlite3_file *file, int lock)
{
	return real(file)->pMethods->xLock(real(file), lock);
}

static int x_unlock(sqlite3_file *file, int lock)
{
	return real(file)->pMethods->xUnlock(real(file), lock);
}

static int x_reserved(sqlite3_file *file, int *out)
{
	return real(file)->pMethods->xCheckReservedLock(real(file), out);
}

static int x_control(sqlite3_file *file, int op, void *arg)
{
	return real(file)->pMethods->xFileControl(real(file), op, arg);
}

static int x_sector(sqlite3_file *file)
{
	return real(file)->pMethods->xSectorSize(real(file));
}

static int x_character(sqlite3_file *file)
{
	return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	struct fault_file *f = of(file);
	(void)vfs;
	memset(f, 0, sizeof(*f));
	f->real = (sqlite3_file *)(f + 1);
	int result = under->xOpen(under, name, f->real, flags, out_flags);
	if (result != SQLITE_OK)
		return result;
	f->base.pMethods = &methods;
	f->next = open_files;
	open_files = f;
	return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
	(void)vfs;
	if (strikes())
		return SQLITE_IOERR_DELETE;
	return under->xDelete(under, name, sync_directory);
}

static int x_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	(void)vfs;
	return under->xAccess(under, name, flags, out);
}

static int x_full_name(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	(void)vfs;
	return under->xFullPathname(under, name, size, out);
}

void fault_vfs_register(void)
{
	if (under)
		return;
	under = sqlite3_vfs_find(NULL);
	shim = *under;
	shim.szOsFile = (int)sizeof(struct fault_file) + under->szOsFile;
	shim.zName = FAULT_VFS;
	shim.pNext = NULL;
	shim.xOpen = x_open;
	shim.xDelete = x_delete;
	shim.xAccess = x_access;
	shim.xFullPathname = x_full_name;
	methods = (sqlite3_io_methods){
	    .iVersion = 1, // no shared memory and no mmap: what locking_mode=EXCLUSIVE makes of it anyway
	    .xClose = x_close,
	    .xRead = x_read,
	    .xWrite = x_write,
	    .xTruncate = x_truncate,
	    .xSync = x_sync,
	    .xFileSize = x_size,
	    .xLock = x_lock,
	    .xUnlock = x_unlock,
	    .xCheckReservedLock = x_reserved,
	    .xFileControl = x_control,
	    .xSectorSize = x_sector,
	    .xDeviceCharacteristics = x_character,
	};
	sqlite3_vfs_register(&shim, 0);
}

void fault_vfs_by_default(bool yes)
{
	fault_vfs_register();
	sqlite3_vfs_register(yes ? &shim : under, 1);
}
