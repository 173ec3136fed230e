/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dlfcn.h>
#include <string.h>
#include <vmm/err.h>
#include <vmm/library.h>
#include <vmm/log.h>

int library_load(const char *said, const char *file, const char *package, const char *const *names, unsigned count,
		 void *pointers)
{
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		return log_err(-ENOENT, "%s needs %s, which cannot be loaded (%s); apt-get install %s", said, file,
			       dlerror(), package);
	for (unsigned i = 0; i < count; i++) {
		void *found = dlsym(handle, names[i]);

		if (!found) {
			dlclose(handle);
			return log_err(-ENOENT, "%s: %s is too old, it has no %s; install a newer %s", said, file,
				       names[i], package);
		}
		memcpy((char *)pointers + i * sizeof(found), &found, sizeof(found));
	}
	return 0;
}
