// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The board contract: what the hardware underneath can tell of itself. A source that is
// missing is "unavailable", never "fine".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A quantity that may not be there to read.
struct sp_quantity {
	bool known;
	double value;
};

enum sp_storage_kind {
	SP_STORAGE_UNKNOWN,
	SP_STORAGE_SD, ///< reports no wear
	SP_STORAGE_EMMC,
	SP_STORAGE_NVME,
	SP_STORAGE_DISK, ///< SATA, USB, virtual
};

/// One reading of everything. Booleans are quantities of 0 or 1.
struct sp_board_reading {
	struct sp_quantity temperature_celsius;
	struct sp_quantity undervoltage_now, undervoltage_since_boot;
	struct sp_quantity throttled_now, throttled_since_boot;
	struct sp_quantity
	    storage_written_bytes; ///< by the whole machine since boot, on the disk that holds the data
	struct sp_quantity storage_wear_ratio; ///< 0 new … 1 used up
	struct sp_quantity storage_read_only;  ///< the data's file system was remounted read-only
	struct sp_quantity memory_total_bytes, memory_available_bytes;
	struct sp_quantity load_ratio; ///< 1-minute load / processors
	struct sp_quantity uptime_seconds;
	enum sp_storage_kind storage;
};

/// Where to look. Tests give a folder that holds made-up sys/, proc/ and dev/.
struct sp_board_root {
	const char *root;      ///< "" on a real machine
	const char *data_path; ///< the folder whose disk matters (journal's), as the machine names it
};

/// What made the machine start, as the chip itself remembers it.
enum sp_reset {
	SP_RESET_UNKNOWN,  ///< it does not say
	SP_RESET_POWER_ON, ///< it had been without power
	SP_RESET_WARM,     ///< reset under power: by software (a reboot, a panic) or by a watchdog
	SP_RESET_WATCHDOG, ///< by a watchdog and nothing else
};

/// What a kernel that died left behind.
struct sp_board_trace {
	uint64_t id; ///< the same for the same trace at the next look; another for every other
	bool oops;   ///< it says itself that the kernel lived on
};

enum { SP_BOARD_TRACES = 32 };

/// Evidence of how the boot before this one ended. Whatever cannot be read is not known.
struct sp_board_past {
	enum sp_reset reset;
	char reset_source[64]; ///< where it was read, for people: "rsts 0x00001020"; "" for UNKNOWN
	/// A hardware watchdog struck (1), or there is one whose driver would tell, and it did not (0).
	struct sp_quantity watchdog_struck;
	struct sp_quantity watchdog_armed; ///< one runs now; 0: there is none, or none runs
	struct sp_quantity panic_seconds;  ///< kernel.panic: 0 is "stand still after a panic"
	bool traces_kept;                  ///< the kernel has a place where a panic leaves a trace
	struct sp_board_trace traces[SP_BOARD_TRACES]; ///< the newest by their files' times, newest first
	size_t trace_count;
	bool traces_more; ///< there are others, which were not looked at
};

enum sp_duplex { SP_DUPLEX_UNKNOWN, SP_DUPLEX_HALF, SP_DUPLEX_FULL };

/// One network interface, as its kernel counts it.
struct sp_board_port {
	int64_t link_mbps; ///< 0: not known
	enum sp_duplex duplex;
	bool counted;               ///< the counters could be read
	int64_t rx_bytes, tx_bytes; ///< since it exists, without the headers of Ethernet
};

enum { SP_BOARD_CORES = 64, SP_BOARD_PORT_NAME = 16 };

/// How busy each processor has been since boot, in the kernel's ticks.
struct sp_board_cores {
	size_t count; ///< 0: it cannot be read
	struct {
		uint64_t busy, all;
	} cores[SP_BOARD_CORES];
};

struct sp_board {
	const char *name;
	const char *summary;
	/// Device-tree names; an entry that ends in ',' or '-' matches as a prefix. NULL ends the
	/// list; an empty list matches everything (generic).
	const char *const *compatible;
	/// Fills what it can; `out` comes zeroed, that is: nothing known. Never blocks on hardware.
	void (*read)(const struct sp_board_root *root, struct sp_board_reading *out);
	/// The same for what is left of the boot before; `out` comes zeroed.
	void (*past)(const struct sp_board_root *root, struct sp_board_past *out);
};

/// The first board whose `compatible` matches the machine's device tree, else generic. Never NULL.
const struct sp_board *sp_board_match(const struct sp_board_root *root);

/// "Raspberry Pi 4 Model B Rev 1.4", or "" when the machine does not say.
void sp_board_model(const struct sp_board_root *root, char *out, size_t size);

/// Every metric of a reading by its feed name, in a fixed order: for reports and docs.
struct sp_board_metric {
	const char *name, *unit, *help;
	size_t offset; ///< of the sp_quantity in struct sp_board_reading
};
extern const struct sp_board_metric sp_board_metrics[]; ///< ends with name NULL

const char *sp_storage_kind_name(enum sp_storage_kind kind); ///< "unknown", "sd", "emmc", …

/// What can be read of that interface now.
void sp_board_port(const struct sp_board_root *root, const char *interface, struct sp_board_port *out);
enum { SP_BOARD_PORTS = 16 };
/// All of them, of more the first.
struct sp_board_ports {
	size_t count;
	struct {
		char name[SP_BOARD_PORT_NAME];
		struct sp_board_port port;
	} items[SP_BOARD_PORTS];
};
void sp_board_ports(const struct sp_board_root *root, struct sp_board_ports *out);
/// The interface of the default route of the lowest metric, IPv4 before IPv6; "" without one.
void sp_board_way_out(const struct sp_board_root *root, char out[SP_BOARD_PORT_NAME]);
void sp_board_cores(const struct sp_board_root *root, struct sp_board_cores *out);

/// A light or a buzzer with which the board answers a person at a reader.
struct sp_board_output;
/// Takes it, switched off: "led:NAME" (/sys/class/leds/NAME; its trigger is set aside meanwhile),
/// "gpio:CHIP/LINE" (line LINE of /dev/gpiochipCHIP, GPIO uAPI v2), or "gpio:CHIP/LINE/low" (on is low). 0;
/// -EINVAL for another name, or what open, write and ioctl say (-EBUSY: the line is somebody else's).
int sp_board_output_open(const struct sp_board_root *root, const char *name, struct sp_board_output **out);
int sp_board_output_set(struct sp_board_output *output, bool on); ///< 0 or -errno
/// Switches it off and gives it back as it was found; NULL is fine.
void sp_board_output_close(struct sp_board_output *output);
/// Whether it is a name of an output: what --check-config can tell.
bool sp_board_output_named(const char *name);
