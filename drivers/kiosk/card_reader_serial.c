// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "card_reader_serial.h"

#include <fcntl.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

static const struct {
	int64_t baud;
	speed_t speed;
} speeds[] = {
    {1200, B1200},   {2400, B2400},   {4800, B4800},   {9600, B9600},
    {19200, B19200}, {38400, B38400}, {57600, B57600}, {115200, B115200},
};

static speed_t speed_of(int64_t baud)
{
	for (size_t i = 0; i < SP_COUNT(speeds); i++)
		if (speeds[i].baud == baud)
			return speeds[i].speed;
	return B0;
}

bool sp_card_baud(int64_t baud)
{
	return speed_of(baud) != B0;
}

static int set_up(int fd, speed_t speed)
{
	struct termios tio;
	if (tcgetattr(fd, &tio) < 0)
		return -errno;
	cfmakeraw(&tio);
	// No modem lines, no flow control; the reader is not reset by our closing.
	tio.c_cflag = (tio.c_cflag & ~(tcflag_t)(CSTOPB | CRTSCTS | HUPCL)) | CLOCAL | CREAD;
	tio.c_cc[VMIN] = 1;
	tio.c_cc[VTIME] = 0;
	if (cfsetispeed(&tio, speed) < 0 || cfsetospeed(&tio, speed) < 0 || tcsetattr(fd, TCSANOW, &tio) < 0)
		return -errno;
	// What was read before we were here happened at another time. Some adapters cannot flush.
	(void)tcflush(fd, TCIFLUSH);
	return 0;
}

int sp_card_serial_open(const char *path, int64_t baud)
{
	int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	// Not TIOCEXCL: that would outlive us while anybody else has the port open, and lock us out
	// ourselves.
	int result = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -EBUSY : set_up(fd, speed_of(baud));
	if (result < 0) {
		close(fd);
		return result;
	}
	return fd;
}
