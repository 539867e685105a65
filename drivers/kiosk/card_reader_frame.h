// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Frames of serial card readers, byte by byte: RDM6300 (EM4100, 125 kHz), boards for both frequencies, and
// Wiegand-26 as bridges to a UART send it. Wrong checksums and parities are dropped, and the next frame is
// found.
#pragma once

#include "schoolpulse/kiosk.h"

enum sp_frame_kind {
	/// 02, ten hexadecimal digits, two of their XOR, 03. The number is the last four bytes.
	SP_FRAME_RDM6300,
	/// 02 09, type (01: ISO 14443, 02: EM4100), four bytes, XOR of all between, 03.
	SP_FRAME_DUAL,
	/// The 26 bits with their parities, as 26 digits 0 and 1 or as 7 or 8 hexadecimal ones, alone in a
	/// line or
	/// between 02 and 03.
	SP_FRAME_WIEGAND26,
};

enum { SP_FRAME_MAX = 26 };

/// Zeroed to begin with, but for the kind. Wipe it after use.
struct sp_frame {
	enum sp_frame_kind kind;
	int64_t last_us;
	bool open; ///< within a frame
	size_t length;
	uint8_t data[SP_FRAME_MAX];
};

enum sp_frame_result {
	SP_FRAME_MORE,
	SP_FRAME_CARD,
	SP_FRAME_BAD, ///< a frame was dropped
};

struct sp_frame_card {
	uint64_t number;
	size_t bytes; ///< of the card's own number that the frame tells
	bool hf;      ///< surely ISO 14443
	bool lf;      ///< surely 125 kHz
};

enum sp_frame_result sp_frame_byte(struct sp_frame *frame, uint8_t byte, int64_t now_us,
				   struct sp_frame_card *out);
/// The 24 bits within 26, if both parities are right: even over the first 13 bits, odd over the last 13.
bool sp_wiegand26(uint32_t bits, uint32_t *out);
