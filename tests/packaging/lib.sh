# shellcheck shell=sh
# What the packaging tests have in common. Sourced, never run; also by ash on a
# router, so nothing here is more than POSIX and `local`.

passed=0 failed=0 skipped=0

# fact NAME COMMAND...: NAME is a fact, COMMAND finds out whether it is true.
fact() {
	name=$1
	shift
	if ("$@") >"${TMPDIR:-/tmp}/fact.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok    $name"
	else
		failed=$((failed + 1))
		echo "FAIL  $name"
		sed 's/^/      /' "${TMPDIR:-/tmp}/fact.log"
	fi
}

skip() {
	skipped=$((skipped + 1))
	echo "skip  $1"
}

# The last line of every test script; also its verdict.
summary() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ] && [ $((passed + skipped)) -gt 0 ]
}

# equal WANTED GOT
equal() {
	[ "$1" = "$2" ] || { printf 'wanted: %s\ngot:    %s\n' "$1" "$2"; return 1; }
}

# contains TEXT PART / lacks TEXT PART
contains() { case $1 in *"$2"*) ;; *) printf 'no "%s" in:\n%s\n' "$2" "$1"; return 1 ;; esac; }
lacks() { case $1 in *"$2"*) printf '"%s" is in:\n%s\n' "$2" "$1"; return 1 ;; esac; }

# within TENTHS COMMAND...: true as soon as COMMAND is, false after that long.
within() {
	left=$1
	shift
	until "$@" >/dev/null; do
		[ "$left" -gt 0 ] || { echo "not in time: $*"; "$@"; return 1; }
		left=$((left - 1))
		sleep 0.1
	done
}
