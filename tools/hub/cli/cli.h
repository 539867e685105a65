// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The commands of `schoolpulse-hub` that print something and end. main.c has their table.
#pragma once

#include "tools/hub/hub_config.h"

enum { SP_EXIT_USAGE = 2 };

/// Says on stderr what is wrong with the words; the exit status for it.
int sp_cli_usage(const char *text, const char *word);
/// Prints and frees them.
void sp_cli_errors(struct sp_config_errors *errors);
/// Says on stderr what is wrong with the database, which is named without its password; EXIT_FAILURE.
int sp_cli_store_failed(const struct sp_hub_config *config, const char *why);
/// The database for reading, to be closed; NULL: said on stderr why not.
struct sp_store *sp_cli_open(const struct sp_hub_config *config);
/// Opens the database and has `answer` print from one consistent view of it: 0, -EMSGSIZE for more than an
/// answer may hold, or the store's -errno, which is said on stderr. The exit status.
int sp_cli_answer(const struct sp_hub_config *config, int (*answer)(struct sp_store *store, void *arg),
		  void *arg);

// `argv[0]` is the command's own name. Each prints to stdout, reasons to stderr, and gives an exit status.

/// The schema up or down, with the data.
int sp_migrate_command(const struct sp_hub_config *config, int argc, char **argv);
int sp_import_command(const struct sp_hub_config *config, int argc, char **argv);
int sp_register_command(const struct sp_hub_config *config, int argc, char **argv);
/// 1, too, when there is nothing to print or the first facts did not come in time.
int sp_facts_command(const struct sp_hub_config *config, int argc, char **argv);
/// How the hub is, on one screen; --watch: again and again.
int sp_status_command(const struct sp_hub_config *config, int argc, char **argv);
/// The whole store into a file, and back where there is none.
int sp_backup_command(const struct sp_hub_config *config, int argc, char **argv);
int sp_restore_command(const struct sp_hub_config *config, int argc, char **argv);
int sp_speed_command(const struct sp_hub_config *config, int argc, char **argv);
/// With kiosks, and the KPI attendance_automation_ratio.
int sp_attendance_report(const struct sp_hub_config *config, int argc, char **argv);
int sp_anomalies_command(const struct sp_hub_config *config, int argc, char **argv);
/// A plan's promises against what was measured, or what every KPI means. Computes first what is still to be
/// computed.
int sp_kpi_command(const struct sp_hub_config *config, int argc, char **argv);
/// For whoever answers a person's request, and for whoever sets up a new board in the place of a dead one.
int sp_size_command(const struct sp_hub_config *config, int argc, char **argv);
int sp_incidents_command(const struct sp_hub_config *config, int argc, char **argv);
int sp_subjects_command(const struct sp_hub_config *config, int argc, char **argv);
int sp_keys_command(const struct sp_hub_config *config, int argc, char **argv);
/// Signs a command, publishes it through the configured broker, and waits for what the board makes of it.
/// 0 the broker took it, and with --wait it is done; 1 not.
int sp_hub_command(const struct sp_hub_config *config, int argc, char **argv);
/// A new key pair: the private key in `file`, the public one on stdout.
int sp_hub_command_key(const char *file);
