/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this host is good for and what to do about it, in plain words. Each backend knows its own
 * findings (hv_host_check); those that concern every guest are here.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <vmm/cmd.h>
#include <vmm/err.h>
#include <vmm/facts.h>
#include <vmm/hv.h>
#include <vmm/opt.h>
#include <vmm/text.h>
#include <vmm/vm.h>

#define FOUND_COLUMN 37

struct doctor {
	const char *hv;
	bool json;
};

static const struct opt rows[] = {
	{ .name = "hv",
	  .arg = "NAME",
	  .help = "only this hypervisor",
	  .kind = OPT_STRING,
	  .offset = offsetof(struct doctor, hv) },
	{ .name = "json", .help = "as JSON", .kind = OPT_FLAG, .offset = offsetof(struct doctor, json) },
};

static const struct opt_set set = {
	.rows = rows,
	.count = ARRAY_SIZE(rows),
	.doc = "Say what this host is good for, what is missing and what to do about it. "
	       "The exit status is 3 when the hypervisor (--hv, or the one `vmm run' would take) cannot be used.",
};

/* ---- This host, whatever the hypervisor ---- */

static void check_architecture(struct hv_check *c)
{
	struct utsname host;

	CHECK(!uname(&host));
	snprintf(c->what, sizeof(c->what), "architecture");
	snprintf(c->found, sizeof(c->found), "%s", host.machine);
}

static void check_page_size(struct hv_check *c)
{
	snprintf(c->what, sizeof(c->what), "page size");
	opt_size_text((uint64_t)sysconf(_SC_PAGESIZE), c->found, sizeof(c->found));
}

static void check_cpus(struct hv_check *c)
{
	long all = sysconf(_SC_NPROCESSORS_ONLN), ours = all;
	cpu_set_t allowed;

	if (!sched_getaffinity(0, sizeof(allowed), &allowed))
		ours = CPU_COUNT(&allowed);
	snprintf(c->what, sizeof(c->what), "CPUs");
	snprintf(c->found, sizeof(c->found), "%ld", ours);
	if (ours < all)
		text_add(c->found, sizeof(c->found), " of %ld, by affinity", all);
	if (ours > 1)
		return;
	c->health = HV_LIMITED;
	snprintf(c->advice, sizeof(c->advice), "all vCPUs take turns on it; more --cpus do not make a guest faster");
}

/* A line of /proc/meminfo, in bytes; 0 if it is not there. */
static uint64_t meminfo(const char *name)
{
	FILE *f = fopen("/proc/meminfo", "re");
	size_t len = strlen(name);
	uint64_t kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) && line[len] == ':' && sscanf(line + len + 1, "%" SCNu64, &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib * KIB;
}

/* Numbers of the host's are rarely round. */
static const char *mib_text(uint64_t bytes, char *text, size_t text_bytes)
{
	snprintf(text, text_bytes, "%" PRIu64 " MiB", bytes / MIB);
	return text;
}

static void check_memory(struct hv_check *c)
{
	uint64_t left = meminfo("MemAvailable");
	char a[32], b[32];

	snprintf(c->what, sizeof(c->what), "memory");
	snprintf(c->found, sizeof(c->found), "%s of %s are free", mib_text(left, a, sizeof(a)),
		 mib_text(meminfo("MemTotal"), b, sizeof(b)));
	if (left >= VM_RAM_BYTES_DEFAULT)
		return;
	c->health = HV_LIMITED;
	snprintf(c->advice, sizeof(c->advice),
		 "a guest has %s unless --mem says less; it gets them as it uses them, and when the host runs "
		 "out, it swaps or ends vmm",
		 mib_text(VM_RAM_BYTES_DEFAULT, a, sizeof(a)));
}

static void check_overcommit(struct hv_check *c)
{
	uint64_t limit = meminfo("CommitLimit"), used = meminfo("Committed_AS");
	FILE *f = fopen("/proc/sys/vm/overcommit_memory", "re");
	char left[32];
	int strict = f ? fgetc(f) == '2' : 0;

	if (f)
		fclose(f);
	snprintf(c->what, sizeof(c->what), "memory overcommit");
	snprintf(c->found, sizeof(c->found), "on");
	if (!strict)
		return;
	c->health = HV_LIMITED;
	snprintf(c->found, sizeof(c->found), "off; %s are left to promise",
		 mib_text(limit > used ? limit - used : 0, left, sizeof(left)));
	snprintf(c->advice, sizeof(c->advice),
		 "all of --mem must be left when the guest starts, used or not; use less, or sysctl "
		 "vm.overcommit_memory=0 as root");
}

static void check_address_space(struct hv_check *c)
{
	struct rlimit limit;
	char text[32];

	snprintf(c->what, sizeof(c->what), "address space");
	snprintf(c->found, sizeof(c->found), "unlimited");
	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return;
	c->health = HV_LIMITED;
	snprintf(c->found, sizeof(c->found), "%s", mib_text(limit.rlim_cur, text, sizeof(text)));
	snprintf(c->advice, sizeof(c->advice),
		 "--mem and vmm itself must fit into it; `ulimit -v unlimited' in the shell takes the limit away");
}

static void (*const host_checks[])(struct hv_check *c) = {
	check_architecture, check_page_size, check_cpus, check_memory, check_overcommit, check_address_space,
};

/* ---- Findings ---- */

static struct json_object *finding(const struct hv_check *c)
{
	static const char *const words[] = {
		[HV_HEALTHY] = "ok",
		[HV_LIMITED] = "limited",
		[HV_UNFIT] = "unfit",
	};
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "what", json_object_new_string(c->what));
	json_object_object_add(o, "health", json_object_new_string(words[c->health]));
	json_object_object_add(o, "found", json_object_new_string(c->found));
	if (c->advice[0])
		json_object_object_add(o, "advice", json_object_new_string(c->advice));
	return o;
}

static struct json_object *host_findings(void)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < ARRAY_SIZE(host_checks); i++) {
		struct hv_check c = { 0 };

		host_checks[i](&c);
		json_object_array_add(list, finding(&c));
	}
	return list;
}

/* Usable: it is available, and nothing it finds speaks against it. */
static struct json_object *backend_findings(const struct hv_ops *ops, bool *available, bool *usable)
{
	struct json_object *o = facts_of_backend(ops, available), *list = json_object_new_array();
	struct hv_check c;

	*usable = *available;
	for (unsigned i = 0; !hv_host_check(ops, i, &c); i++) {
		*usable &= c.health != HV_UNFIT;
		json_object_array_add(list, finding(&c));
	}
	json_object_object_add(o, "usable", json_object_new_boolean(*usable));
	json_object_object_add(o, "findings", list);
	return o;
}

/* Of @only, or of all; then the one that counts is what `vmm run' takes. */
static struct json_object *diagnose(const struct hv_ops *only, bool *usable)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	const struct hv_ops *ops, *taken = NULL;

	*usable = false;
	for (unsigned i = 0; (ops = hv_backend_at(i)); i++) {
		bool available, fit;

		if (only && ops != only)
			continue;
		json_object_array_add(list, backend_findings(ops, &available, &fit));
		if (taken || !(only || available))
			continue;
		taken = ops;
		*usable = fit;
	}
	json_object_object_add(o, "hypervisors", list);
	json_object_object_add(o, "host", host_findings());
	json_object_object_add(o, "hv", json_object_new_string(only ? only->name : "auto"));
	json_object_object_add(o, "taken", taken ? json_object_new_string(taken->name) : NULL);
	json_object_object_add(o, "usable", json_object_new_boolean(*usable));
	return o;
}

/* ---- Text ---- */

static void print_findings(struct json_object *list)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *f = json_object_array_get_idx(list, i);
		const char *advice = facts_get(f, "advice");

		text_print(facts_get(f, "found"),
			   printf("    %-22s  %-7s", facts_get(f, "what"), facts_get(f, "health")), FOUND_COLUMN);
		if (advice)
			text_print(advice, 0, FOUND_COLUMN);
	}
}

static void print_verdict(struct json_object *o)
{
	const char *hv = facts_get(o, "hv"), *taken = facts_get(o, "taken");
	bool usable = json_object_get_boolean(json_object_object_get(o, "usable"));

	if (!taken)
		puts("--hv=auto: there is no hypervisor for this host.");
	else if (strcmp(hv, "auto"))
		printf("--hv=%s: %s.\n", hv, usable ? "it can be used" : "it cannot be used here; try --hv=auto");
	else
		printf("--hv=auto: takes %s, the best that is available%s.\n", taken,
		       usable ? "" : "; it cannot be used until what is unfit is mended, name another");
}

static void print_text(struct json_object *o)
{
	struct json_object *list = json_object_object_get(o, "hypervisors");

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *b = json_object_array_get_idx(list, i);

		facts_print_backend(b);
		print_findings(json_object_object_get(b, "findings"));
	}
	puts("host:");
	print_findings(json_object_object_get(o, "host"));
	print_verdict(o);
}

static int cmd_doctor(int argc, char **argv)
{
	struct doctor d = { 0 };
	const struct hv_ops *only = NULL;
	struct json_object *o;
	bool usable;

	if (opt_parse(&set, argc, argv, &d))
		return PROC_USAGE;
	if (d.hv && strcmp(d.hv, "auto") && hv_backend_named(d.hv, &only))
		return PROC_USAGE;
	o = diagnose(only, &usable);
	if (d.json)
		facts_print_json(o);
	else
		print_text(o);
	json_object_put(o);
	return usable ? PROC_POWEROFF : PROC_HOST;
}

COMMAND(doctor, "say what this host is good for", cmd_doctor);
