# SPDX-License-Identifier: GPL-2.0-or-later
# What `make check`, `make bench` and `make lint` are made of; each kind of test brings its own file.
-include $(wildcard tests/*/*.mk)

check: all
	tests/run --mode $(MODE)

lint:
	tests/run --mode $(MODE) lint

bench: all
	tests/bench/run
