/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <vmm/cpu.h>

#include "translator.h"

REGISTRY(translator, const struct translator);

const struct translator *translator(void)
{
	FOR_EACH_REGISTERED (translator, const struct translator, t)
		return *t;
	return NULL;
}

bool cpu_translator(char *text, size_t bytes)
{
	const struct translator *t = translator();

	text[0] = 0;
	if (t && !t->available(text, bytes))
		return false;
	snprintf(text, bytes, "%s", t ? t->host : "there is no translator for hosts of this architecture");
	return t;
}
