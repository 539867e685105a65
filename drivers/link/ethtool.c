// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Speed and duplex by ethtool's ioctl, which looks into the process's own network namespace; /sys shows the
// one that it was mounted in.
#include "ethtool.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int settings(int fd, const char *interface, struct ethtool_link_settings *request)
{
	struct ifreq ifr = {0};
	size_t size = strlen(interface);
	if (size >= sizeof(ifr.ifr_name))
		return -1;
	memcpy(ifr.ifr_name, interface, size);
	ifr.ifr_data = (void *)request;
	return ioctl(fd, SIOCETHTOOL, &ifr);
}

struct sp_link_mode sp_ethtool_mode(const char *interface)
{
	struct sp_link_mode mode = {-1, NULL};
	// Room for three masks of as many words as a kernel may have (the count is a signed byte).
	char room[sizeof(struct ethtool_link_settings) + 3 * 127 * sizeof(uint32_t)]
	    __attribute__((aligned(8))) = {0};
	struct ethtool_link_settings *request = (void *)room;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return mode;
	// The first call only asks how many words a mask has: the answer is negative.
	request->cmd = ETHTOOL_GLINKSETTINGS;
	int words = settings(fd, interface, request) == 0 ? -request->link_mode_masks_nwords : 0;
	request->cmd = ETHTOOL_GLINKSETTINGS;
	request->link_mode_masks_nwords = (int8_t)words;
	if (words > 0 && words <= 127 && settings(fd, interface, request) == 0) {
		if (request->speed != 0 && request->speed <= INT32_MAX)
			mode.speed_mbps = request->speed;
		if (request->duplex == DUPLEX_FULL)
			mode.duplex = "full";
		else if (request->duplex == DUPLEX_HALF)
			mode.duplex = "half";
	}
	close(fd);
	return mode;
}
