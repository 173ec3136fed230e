/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `vmm doctor' makes of a backend's findings: a patient with the fake's limits and the test's complaints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <vmm/cmd.h>
#include <vmm/err.h>
#include <vmm/hv.h>

static struct {
	bool available;
	const struct hv_check *findings;
	unsigned count;
} patient;

static int patient_available(char *why, size_t bytes)
{
	snprintf(why, bytes, "asleep");
	return patient.available ? 0 : -ENODEV;
}

static int patient_check(unsigned i, struct hv_check *check)
{
	if (i >= patient.count)
		return -ENOENT;
	*check = patient.findings[i];
	return 0;
}

/* The best there is, so that auto takes it when it can. */
static const struct hv_ops patient_ops = {
	.name = "patient",
	.help = "for tests",
	.rank = 99,
	.available = patient_available,
	.host_check = patient_check,
};

HV_BACKEND(patient, &patient_ops);

static const struct hv_check healthy = { HV_HEALTHY, "heart", "60 beats a minute", "" };
static const struct hv_check limited = { HV_LIMITED, "knee", "stiff", "walks slowly; see somebody about it" };
static const struct hv_check unfit = { HV_UNFIT, "head", "lost", "nothing works without it; find it" };

static char out[8192];

/* `vmm doctor --hv=... [--json]', its output in out[]. */
static int doctor(const char *hv, const char *json)
{
	char option[32];
	int old = dup(1), status;
	FILE *f = tmpfile();
	size_t n;

	snprintf(option, sizeof(option), "--hv=%s", hv);
	fflush(stdout);
	dup2(fileno(f), 1);
	status = command_find("doctor")->run(
		json ? 3 : 2, (char *[]){ (char[]){ "vmm doctor" }, option, (char *)(uintptr_t)json, NULL });
	fflush(stdout);
	dup2(old, 1);
	close(old);
	rewind(f);
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = 0;
	fclose(f);
	return status;
}

static int examine(bool available, const struct hv_check *findings, unsigned count)
{
	patient.available = available;
	patient.findings = findings;
	patient.count = count;
	return doctor("patient", NULL);
}

static void assert_out(const char *what)
{
	if (!strstr(out, what))
		fail_msg("not there: %s\nbut: %s", what, out);
}

static void health_has_a_word_and_advice_a_line(void **state)
{
	const struct hv_check both[] = { healthy, limited };

	(void)state;
	assert_int_equal(examine(true, both, 2), PROC_POWEROFF);
	assert_out("hypervisor patient: for tests\n  available\n");
	assert_out(
		"\n    heart                   ok       60 beats a minute\n    knee                    limited  stiff\n");
	assert_out("\n                                     walks slowly; see somebody about it\n");
	assert_out("\nhost:\n    architecture            ok       ");
	assert_out("--hv=patient: it can be used.\n");
}

static void one_unfit_finding_is_enough_for_status_3(void **state)
{
	const struct hv_check all[] = { healthy, unfit, limited };

	(void)state;
	assert_int_equal(examine(true, all, 3), PROC_HOST);
	assert_out("\n    head                    unfit    lost\n");
	assert_out("--hv=patient: it cannot be used here; try --hv=auto.\n");
	assert_int_equal(doctor("auto", NULL), PROC_HOST);
	assert_out("takes patient, the best that is available; it cannot be used until what is unfit is mended");
}

static void findings_are_told_of_what_is_not_available(void **state)
{
	(void)state;
	assert_int_equal(examine(false, &unfit, 1), PROC_HOST);
	assert_out("\n  not available:  asleep\n    head ");
	/* Then auto takes another, and all is well. */
	assert_int_equal(doctor("auto", NULL), PROC_POWEROFF);
	assert_out("--hv=auto: takes soft, the best that is available.\n");
}

static void json_says_the_same(void **state)
{
	const struct hv_check all[] = { healthy, limited, unfit };

	(void)state;
	examine(true, all, 3);
	assert_int_equal(doctor("patient", "--json"), PROC_HOST);
	assert_out("\"health\":\"ok\"");
	assert_out("\"advice\":\"walks slowly; see somebody about it\"");
	assert_out("\"health\":\"unfit\"");
	assert_out("\"taken\":\"patient\",\n  \"usable\":false\n}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(health_has_a_word_and_advice_a_line),
		cmocka_unit_test(one_unfit_finding_is_enough_for_status_3),
		cmocka_unit_test(findings_are_told_of_what_is_not_available),
		cmocka_unit_test(json_says_the_same),
	};

	return cmocka_run_group_tests_name("src/cmd/doctor", tests, NULL, NULL);
}
