// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What every Linux machine tells of a network interface and of its processors' work.
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "sysfs.h"
#include "text.h"

enum { FILE_MAX = 256 * 1024, ETHERNET = 1, ETHERNET_HEADER = 14 };

static bool number(const char *root, const char *interface, const char *file, int64_t *out)
{
	char path[96];
	return sp_sysfs_path(path, sizeof(path), "/sys/class/net/%s/%s", interface, file) == 0 &&
	       sp_sysfs_number(root, path, 0, INT64_MAX, out) == 0;
}

/// A name as the kernel allows it: no way out of the folder.
static bool is_name(const char *interface)
{
	return interface[0] && interface[0] != '.' && strlen(interface) < SP_BOARD_PORT_NAME &&
	       !strchr(interface, '/');
}

static int64_t without_headers(int64_t bytes, int64_t packets, bool ethernet)
{
	int64_t headers = ethernet && packets < bytes ? packets * ETHERNET_HEADER : 0;
	return headers < bytes ? bytes - headers : 0;
}

static void read_counters(const char *root, const char *interface, struct sp_board_port *out)
{
	int64_t type, packets[2] = {0};
	bool ethernet = number(root, interface, "type", &type) && type == ETHERNET;
	out->counted = number(root, interface, "statistics/rx_bytes", &out->rx_bytes) &&
		       number(root, interface, "statistics/tx_bytes", &out->tx_bytes) &&
		       number(root, interface, "statistics/rx_packets", &packets[0]) &&
		       number(root, interface, "statistics/tx_packets", &packets[1]);
	out->rx_bytes = out->counted ? without_headers(out->rx_bytes, packets[0], ethernet) : 0;
	out->tx_bytes = out->counted ? without_headers(out->tx_bytes, packets[1], ethernet) : 0;
}

void sp_board_port(const struct sp_board_root *root, const char *interface, struct sp_board_port *out)
{
	char path[96], duplex[16];
	*out = (struct sp_board_port){0};
	if (!is_name(interface))
		return;
	// Unplugged and virtual ones answer -1 or with an error.
	if (!number(root->root, interface, "speed", &out->link_mbps) || out->link_mbps > 10000000)
		out->link_mbps = 0;
	if (sp_sysfs_path(path, sizeof(path), "/sys/class/net/%s/duplex", interface) == 0 &&
	    sp_sysfs_text(root->root, path, duplex, sizeof(duplex)) > 0)
		out->duplex = strcmp(duplex, "full") == 0   ? SP_DUPLEX_FULL
			      : strcmp(duplex, "half") == 0 ? SP_DUPLEX_HALF
							    : SP_DUPLEX_UNKNOWN;
	read_counters(root->root, interface, out);
}

void sp_board_ports(const struct sp_board_root *root, struct sp_board_ports *out)
{
	char path[4096];
	const struct dirent *entry;
	*out = (struct sp_board_ports){0};
	if (sp_sysfs_path(path, sizeof(path), "%s/sys/class/net", root->root))
		return;
	DIR *folder = opendir(path);
	if (!folder)
		return;
	while (out->count < SP_BOARD_PORTS && (entry = readdir(folder))) {
		if (!is_name(entry->d_name))
			continue;
		strcpy(out->items[out->count].name, entry->d_name);
		sp_board_port(root, entry->d_name, &out->items[out->count++].port);
	}
	closedir(folder);
}

void sp_board_way_out(const struct sp_board_root *root, char out[SP_BOARD_PORT_NAME])
{
	char *text;
	size_t length;
	out[0] = '\0';
	if (sp_sysfs_slurp(root->root, "/proc/net/route", FILE_MAX, &text, &length) == 0) {
		int found = sp_text_way_out(text, out);
		free(text);
		if (found == 0)
			return;
	}
	if (sp_sysfs_slurp(root->root, "/proc/net/ipv6_route", FILE_MAX, &text, &length) == 0) {
		if (sp_text_way_out6(text, out))
			out[0] = '\0';
		free(text);
	}
}

void sp_board_cores(const struct sp_board_root *root, struct sp_board_cores *out)
{
	char *text;
	size_t length;
	*out = (struct sp_board_cores){0};
	if (sp_sysfs_slurp(root->root, "/proc/stat", FILE_MAX, &text, &length))
		return;
	sp_text_cores(text, out);
	free(text);
}
