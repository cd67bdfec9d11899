#!/bin/sh
# What the init script asks of procd, and when it asks what. Needs nothing of
# OpenWrt: the functions it calls are those of stand-in-rc.sh.

# Without -e and -u, as rc.common runs it.
cd "$(dirname "$0")" || exit 1
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# shellcheck source=tests/packaging/lib.sh
. ../packaging/lib.sh

CONFIG=$TMPDIR/config
RUNNING='' RULES='' BOOT=yes IPKG_INSTROOT=$TMPDIR/root
# shellcheck source=tests/init/stand-in-rc.sh
. ./stand-in-rc.sh
# shellcheck source=files/etc/init.d/gwha
. ../../files/etc/init.d/gwha
release() { echo release; }
wait_gone() { echo "wait $1"; }

# Sections for the configuration, on standard input.
configure() { cat >"$CONFIG"; }
lan() {
	cat <<-UCI
	config gwha 'main'
	option enabled '${1:-1}'
	config instance 'lan'
	list router '192.168.1.2'
	list router '192.168.1.3'
	UCI
}
wan() {
	cat <<-UCI
	config instance 'wan'
	list router '192.168.1.3'
	list router 'fe80::2'
	${1:-}
	UCI
}
rules() { (json=; add_firewall; echo "$json"); }

lan | configure
started=$(start_service)
fact "the daemon runs in the foreground" contains "$started" "param command /usr/sbin/gwha run"
fact "it comes back for ever, a second after a crash" contains "$started" "param respawn 3600 1 0"
fact "a new program restarts it" contains "$started" "param file /usr/sbin/gwha"
fact "it has time to hand over" contains "$started" "param term_timeout 15"
fact "no signal takes the place of a restart" lacks "$started" reload_signal
fact "a changed configuration reloads it" equal "trigger gwha" "$(service_triggers)"
fact "it is the first to stop" equal 01 "$STOP"

fact "adverts are let in from the routers" equal \
	" firewall[ { type=rule src=* src_ip[ 192.168.1.2 192.168.1.3 ] proto=112 target=ACCEPT } ]" "$(rules)"
{ lan; wan; } | configure
fact "each router is named once, of both families" contains "$(rules)" "[ 192.168.1.2 192.168.1.3 fe80::2 ]"
{ lan; wan "option mode 'multicast'"; } | configure
fact "a multicast instance is let in by its groups" contains "$(rules)" "dest_ip[ 224.0.0.18 ff02::12 ] proto=112"
{ lan; echo "config sync 'peer'"; } | configure
fact "the peer channel has its port" contains "$(rules)" "proto=tcp dest_port=8470"
{ lan; echo "config sync 'peer'"; echo "option port '9000'"; echo "list router '10.9.9.1'"; } | configure
fact "or the one that is configured" contains "$(rules)" "proto=tcp dest_port=9000"
fact "and its own routers" contains "$(rules)" 10.9.9.1
{ echo "config instance 'lan'"; echo "list peer '192.0.2.7'"; } | configure
fact "peers of an instance without routers are let in" contains "$(rules)" "src_ip[ 192.0.2.7 ]"
{ lan; echo "option conntrack '1'"; } | configure
fact "so is what conntrackd tells, of an instance" contains "$(rules)" \
	"src_ip[ 192.168.1.2 192.168.1.3 ] proto=udp dest_port=3780"
{ lan; echo "config group 'all'"; echo "option conntrack '1'"; } | configure
fact "and of a group" contains "$(rules)" "proto=udp dest_port=3780"
{ lan; echo "config group 'all'"; echo "option conntrack '0'"; } | configure
fact "but not where connections stay" lacks "$(rules)" 3780

lan 0 | configure
fact "a disabled configuration starts nothing" equal "" "$(start_service)"
echo "config instance 'lan'" | configure
fact "nor does one that does not say" equal "" "$(start_service)"

lan | configure
RUNNING='' RULES=''
fact "reload starts what is not running, without a signal" equal start "$(reload_service)"
RUNNING=42 RULES=$(rules_wanted)
fact "reload signals what runs" equal "signal gwha" "$(reload_service)"
RULES=other
fact "and sends new firewall rules along" equal "start
signal gwha" "$(reload_service)"
lan 0 | configure
fact "reload of a disabled configuration stops it and gives everything back" equal "start
wait 42
release" "$(reload_service)"

stops() { stop_service; service_stopped; }
lan | configure
fact "stop waits for the hand-over and leaves a standby" equal "wait 42" "$(stops)"
BOOT=no
fact "of a router that will not start it again, it gives everything back" equal "wait 42
release" "$(stops)"
BOOT=yes
lan 0 | configure
fact "and so with a configuration that is disabled" equal "wait 42
release" "$(stops)"

mkdir -p "$IPKG_INSTROOT/etc/rc.d"
touch "$IPKG_INSTROOT/etc/rc.d/S18gwha" "$IPKG_INSTROOT/etc/rc.d/K01gwha" "$IPKG_INSTROOT/etc/rc.d/S70other"
fact "disable in an image under construction touches only the links" equal "" "$(RUNNING=''; disable)"
fact "and only its own" equal S70other "$(ls "$IPKG_INSTROOT/etc/rc.d")"
IPKG_INSTROOT=
disable_here() { rm() { :; }; disable; }
fact "disable leaves a running daemon alone" equal "" "$(disable_here)"
fact "and gives everything back when none runs" equal release "$(RUNNING=''; disable_here)"

fact "the scripts are clean" shellcheck -s dash ../../files/etc/init.d/gwha ../../files/etc/uci-defaults/95-gwha

summary
