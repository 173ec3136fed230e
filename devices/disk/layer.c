/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the layer that a name is for: by its scheme, by what the user says, or by what the file begins with. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vmm/disk.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/text.h>

#define HEAD_BYTES 4096

REGISTRY_BY_NAME(disk_layer, const struct disk_layer_type, disk_layer_type_at, disk_layer_type_find);

/* Length of "nbd" in nbd+unix:///..., 0: a path. */
static size_t scheme_bytes(const char *name)
{
	size_t len = 0;

	while (isalnum((unsigned char)name[len]) || (len && strchr("+-.", name[len]) && name[len]))
		len++;
	return strncmp(name + len, "://", 3) ? 0 : strcspn(name, "+:");
}

bool disk_is_url(const char *name) { return scheme_bytes(name); }

char *disk_name_beside(const char *image, const char *name)
{
	const char *slash = strrchr(image, '/');
	char *path;

	if (name[0] == '/' || !slash || disk_is_url(name))
		return strdup(name);
	return asprintf(&path, "%.*s/%s", (int)(slash - image), image, name) < 0 ? NULL : path;
}

static bool has_word(const char *words, const char *word, size_t len)
{
	for (; words && *words; words += strspn(words, " ")) {
		size_t n = strcspn(words, " ");

		if (n == len && !memcmp(words, word, len))
			return true;
		words += n;
	}
	return false;
}

static int find_by_scheme(const char *name, size_t len, const struct disk_config *cfg,
			  const struct disk_layer_type **type)
{
	char known[160] = "";

	for (unsigned i = 0; (*type = disk_layer_type_at(i)); i++) {
		if (has_word((*type)->scheme, name, len))
			return 0;
		if ((*type)->scheme)
			text_add_item(known, sizeof(known), ", ", "%s", (*type)->scheme);
	}
	return log_err(-EINVAL, "%s: %s: nothing here speaks %.*s; %s%s", cfg->said, name, (int)len, name,
		       *known ? "there are " : "name a file instead", known);
}

static int find_by_format(const char *name, const char *format, const struct disk_config *cfg,
			  const struct disk_layer_type **type)
{
	char known[160] = "";

	*type = disk_layer_type_find(format);
	if (*type && !(*type)->scheme)
		return 0;
	for (unsigned i = 0; disk_layer_type_at(i); i++)
		if (!disk_layer_type_at(i)->scheme && strcmp(disk_layer_type_at(i)->name, "overlay"))
			text_add_item(known, sizeof(known), ", ", "%s", disk_layer_type_at(i)->name);
	return log_err(-EINVAL, "%s: %s: there is no format \"%.40s\"; there are %s", cfg->said, name, format, known);
}

/* What cannot be read is raw: opening that says why. */
static const struct disk_layer_type *guess(const char *name)
{
	/* O_NONBLOCK: a FIFO does not keep us. */
	int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	const struct disk_layer_type *t;
	uint8_t head[HEAD_BYTES];
	ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);

	if (fd >= 0)
		close(fd);
	for (unsigned i = 0; n > 0 && (t = disk_layer_type_at(i)); i++)
		if (t->probe && t->probe(head, (size_t)n))
			return t;
	return disk_layer_type_find("raw");
}

static int open_type(const struct disk_layer_type *type, const char *name, bool guessed,
		     const struct disk_config *cfg, struct disk_layer **layer)
{
	struct disk_layer *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	if (!l)
		return err;
	*l = (struct disk_layer){ .type = type, .name = strdup(name), .guessed = guessed };
	l->state = calloc(1, type->state_bytes ? type->state_bytes : 1);
	if (l->name && l->state)
		err = type->open(l, name, cfg);
	if (err) {
		free(l->state);
		free(l->name);
		free(l);
		return err;
	}
	*layer = l;
	return 0;
}

int disk_layer_open(const char *name, const char *format, const struct disk_config *cfg, struct disk_layer **l)
{
	size_t scheme = scheme_bytes(name);
	const struct disk_layer_type *type = NULL;
	int err = 0;

	*l = NULL;
	if (format)
		err = find_by_format(name, format, cfg, &type);
	else if (scheme)
		err = find_by_scheme(name, scheme, cfg, &type);
	else
		type = guess(name);
	if (!err)
		CHECK(type);
	return err ? err : open_type(type, name, !format && !scheme, cfg, l);
}

void disk_layer_give_up(struct disk_layer *l)
{
	while (l && !l->type->give_up)
		l = l->below;
	if (l)
		l->type->give_up(l);
}

void disk_layer_close(struct disk_layer *l)
{
	if (!l)
		return;
	if (l->type->close)
		l->type->close(l);
	disk_layer_close(l->below);
	free(l->state);
	free(l->name);
	free(l);
}
