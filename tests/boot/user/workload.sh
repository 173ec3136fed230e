#!/usr/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Real programs whose answers are known beforehand: floating point from Debian's arm64 programs under
# qemu-aarch64, everything else from other machines. Says "workload ok" if all are right.
set -u
export LC_ALL=C PATH=/usr/bin:/bin PYTHONHASHSEED=0
fail=0
is() { # is WHAT WANT COMMAND...: the first word that COMMAND prints
	local what=$1 want=$2 got
	shift 2
	got=$("$@" 2>&1 | head -c 200)
	if [ "${got%% *}" = "$want" ]; then echo "ok $what"; else echo "WRONG $what: $got, not $want"; fail=1; fi
}
cd "$(mktemp -d)" || exit 1

# Data: a linear congruential generator in awk's doubles, 400 KB.
gawk 'BEGIN { x = 12345; for (i = 0; i < 60000; i++) { x = (x * 1103515245 + 12345) % 2147483648; printf "%d\n", x % 1000000 } }' > data
is data '4af0d6648688e0dbed53c67bdb080d1a5cdb0328f07e678ac1918d97d0179bca' sha256sum data
is "openssl sha256" '4af0d6648688e0dbed53c67bdb080d1a5cdb0328f07e678ac1918d97d0179bca' bash -c 'openssl dgst -r -sha256 data'
is "perl Digest::SHA" '4af0d6648688e0dbed53c67bdb080d1a5cdb0328f07e678ac1918d97d0179bca' perl -MDigest::SHA=sha256_hex -0777 -ne 'print sha256_hex($_)' data
is "python hashlib" '4af0d6648688e0dbed53c67bdb080d1a5cdb0328f07e678ac1918d97d0179bca' python3.13 -S -c 'import hashlib; print(hashlib.sha256(open("data","rb").read()).hexdigest())'
is "openssl sha512" '09b35d3ce97921f6f1a5071c72fa565fd11f66153dcd61187f5a5e27e5b95d19d6c16ae37f841a0f5f2cbcad8c84757b41bc485a8e02aca34966bb42006b6b81' bash -c 'openssl dgst -r -sha512 data'
is "openssl sha3-256" 'fb9a1ebe2de4858d2780994e3a1af3ee8f4b44ad5cab3ed8a1905afe0feebeb7' bash -c 'openssl dgst -r -sha3-256 data'
is "openssl aes-256-ctr" 'e04b51f9533b522a39ce7791064f92b94ff526308abcc2d1fb29545cb105d447' bash -c 'openssl enc -aes-256-ctr -K 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f -iv 0f0e0d0c0b0a09080706050403020100 -in data | sha256sum'
is "openssl chacha20" '0774d8af552161d09a9581eae3c5ccf492b9b5a937383ccea54e2c89b91faa16' bash -c 'openssl enc -chacha20 -K 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f -iv 0f0e0d0c0b0a09080706050403020100 -in data | sha256sum'
is "openssl aes round trip" '4af0d6648688e0dbed53c67bdb080d1a5cdb0328f07e678ac1918d97d0179bca' bash -c 'openssl enc -aes-128-cbc -pbkdf2 -k x -in data | openssl enc -d -aes-128-cbc -pbkdf2 -k x | sha256sum'
is "openssl rsa" OK bash -c 'openssl genrsa 1024 2>/dev/null > k && openssl rsa -in k -pubout 2>/dev/null > p && openssl dgst -sha256 -sign k -out s data && openssl dgst -sha256 -verify p -signature s data | tr V v | sed "s/verified //I"'
is "openssl ed25519" OK bash -c 'openssl genpkey -algorithm ed25519 > e && head -c 1000 data > d1 && openssl pkeyutl -sign -rawin -inkey e -in d1 -out s1 && openssl pkey -in e -pubout > ep && openssl pkeyutl -verify -pubin -rawin -inkey ep -in d1 -sigfile s1 | grep -q Success && echo OK'
for z in gzip "xz -1" bzip2 "zstd -q"; do
	is "$z round trip" 4af0d6648688e0dbed53c67bdb080d1a5cdb0328f07e678ac1918d97d0179bca bash -c "$z -c < data | ${z%% *} -dc | sha256sum"
done
is "sort -n" '9524903b7a50165d257b58e0af7f1cb01bb52723675864b228b0eb7a5e0d3b65' bash -c 'sort -n data | sha256sum'
is "sort -u --parallel" 'e7c81a6372c9810fe12c4081acc0108bcbccc17adaf92542d2aacea5fbcc7286' bash -c 'sort -u --parallel=2 data | sha256sum'
is "md5 b2" '820b1451729ab0403a9ed38678298272703de5814c34e8627fa3e15ee4f0b88e6956274d9af843ebc6fabb214249d12768acf3fcccf2d7b607e638eedba6faf4' bash -c 'b2sum data'
is cksum '3521619588' cksum -a crc data
is "bc: 200 digits of pi" '2592731d78c11954f8cd4a987555b122438f3ebc0febef8aed847cac07318cfb' bash -c 'echo "scale=200; 4*a(1)" | BC_LINE_LENGTH=0 bc -l | sha256sum'
is "awk: floating point" '-8.63725671095106' gawk 'BEGIN { s = 0; for (i = 1; i <= 50000; i++) s += sin(i) * sqrt(i) / log(i + 1); printf "%.15g\n", s }'
is "python: floats" '78381.94503798585;2.61273150126619475e+04;0.30000000000000004;0x1.6a09e667f3bcdp+0' python3.13 -S -c 'import math
s = 0.0
for i in range(1, 20000): s += math.sin(i) * math.atan2(i, 3) + math.exp(-i / 1e4) ** 1.5 + math.fmod(i * 1e10, 7.3)
print(repr(s) + ";%.17e;%s;%s" % (s / 3, 0.1 + 0.2, float.hex(2 ** 0.5)))'
is "python: big integers" '284444572026814591880224809471' python3.13 -S -c 'print(pow(3, 10**5, 10**40) * (2**521 - 1) % (10**30 + 57))'
is "python: json, re, struct" '3166793294;428571429499;abaaaa3e555555555555d53f;1.4142135623730950488016887242096980785696718753769' python3.13 -S -c 'import json, re, struct, zlib, decimal
d = {str(i): [i / 7, -i, "x" * (i % 5)] for i in range(500)}
t = json.dumps(d); assert json.loads(t) == d
decimal.getcontext().prec = 50
print(zlib.crc32(t.encode()), re.sub(r"\D+", "", t)[-12:], struct.pack("<fd", 1 / 3, 1 / 3).hex(), decimal.Decimal(2).sqrt(), sep=";")'
is "perl: numbers" '1.07078665606897;97;LEXQJCVOHATMFYRKDWPI' perl -e 'my $s = 0; for my $i (1 .. 50000) { $s += sin($i) / $i; $h{$i % 97} .= chr(65 + $i % 26) } printf "%.15g;%d;%s\n", $s, scalar(keys %h), substr(join("", map { $h{$_} } sort { $a <=> $b } keys %h), -20)'
is "sqlite: sums" '12502500;4167500.0;5000;39393936' sqlite3 t.db "create table t(a integer primary key, b real, c text); with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) insert into t select i, i / 3.0, hex(i * 7) from n; create index x on t(c); select sum(a) || ';' || round(sum(b), 6) || ';' || count(distinct c) || ';' || max(c) from t;"
is "sqlite: integrity" ok sqlite3 t.db "pragma integrity_check;"
is "bash: arithmetic" '-6307851708074436871' bash -c 'x=1; for ((i = 0; i < 3000; i++)); do ((x = x * 6364136223846793005 + 1442695040888963407)); done; echo $x'
is "sed, grep, tr" '23633' bash -c 'sed -E "s/([0-9])([0-9])/\2\1/g" data | grep -c 7 | tr -d " "'
[ $fail = 0 ] && echo "workload ok"
exit $fail
