# shellcheck shell=sh disable=SC2034,SC2154
# Stands in for OpenWrt's rc.common, UCI and procd functions where they cannot
# be had (router.sh runs the real ones). Whatever the init script asks procd
# for is printed, one line a request. Sourced; then the init script is.
#
# What the outside world answers: RUNNING, the daemon's pid, and RULES, the
# firewall rules that procd holds. BOOT says whether it is enabled at boot.

extra_command() { :; }
enabled() { [ "${BOOT:-yes}" = yes ]; }

# --- UCI: the file $CONFIG, in the plain form of the examples ------------------

config_load() { :; }

# `section option value` lines, list values each on their own.
config_lines() {
	awk '
		$1 == "config" { n++; gsub(/\047/, ""); print "s" n, "TYPE", $2 }
		$1 == "option" || $1 == "list" {
			key = $2; sub(/^[^\047]*\047/, ""); sub(/\047.*$/, ""); print "s" n, key, $0
		}' "$CONFIG"
}
config_foreach() {
	for section in $(config_lines | awk -v t="$2" '$2 == "TYPE" && $3 == t { print $1 }'); do
		"$1" "$section"
	done
}
config_get() {
	eval "$1=\$(config_lines | awk -v s='$2' -v o='$3' '\$1 == s && \$2 == o { print \$3; exit }')"
	eval "[ -n \"\$$1\" ] || $1='$4'"
}
config_get_bool() {
	config_get "$@"
	eval "case \$$1 in 1 | on | true | yes | enabled) $1=1 ;; *) $1=0 ;; esac"
}
config_list_foreach() {
	for value in $(config_lines | awk -v s="$1" -v o="$2" '$1 == s && $2 == o { print $3 }'); do
		"$3" "$value"
	done
}
list_contains() { eval "case \" \$$1 \" in *' $2 '*) ;; *) return 1 ;; esac"; }

# --- procd and JSON ---------------------------------------------------------------

procd_open_instance() { echo "instance $*"; }
procd_close_instance() { echo "end instance"; }
procd_set_param() { echo "param $*"; }
procd_open_data() { echo data; }
procd_close_data() { :; }
procd_add_reload_trigger() { echo "trigger $*"; }
procd_send_signal() { echo "signal $*"; }
start() { echo start; start_service >/dev/null; }

json_init() { json=; }
json_add_array() { json="$json $1["; }
json_close_array() { json="$json ]"; }
json_add_object() { json="$json {"; }
json_close_object() { json="$json }"; }
json_add_string() { json="$json ${1:+$1=}$2"; }
json_dump() { echo "$json"; }

ubus() { case $* in *get_data*) echo "$RULES" ;; *) echo "$RUNNING" ;; esac; }
jsonfilter() { cat; }
