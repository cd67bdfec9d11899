#!/bin/sh
# Runs inside the root file system; started by router.sh.
# shellcheck disable=SC2016  # case bodies are evaluated later
cd /test || exit 1
# shellcheck source=tests/packaging/lib.sh
. ./lib.sh
export TMPDIR=/tmp

ubusd &
sleep 0.3
procd &
within 50 ubus -t 1 wait_for service || exit 1

log() { cat /tmp/daemon.log 2>/dev/null; }
pid() { ubus call service list '{"name":"gwha"}' | jsonfilter -q -e '@.gwha.instances.gwha.pid'; }
rules() { ubus call service get_data '{"name":"gwha","type":"firewall"}' | tr -d '\n\t '; }
fresh() { : >/tmp/daemon.log; }
gone() { [ ! -d "/proc/$1" ]; }
contains_log() { contains "$(log)" "$1"; }
counts() { log | grep -c "$1"; }
use_stand_in() { sed "s/VERSION/${1:-1}/" stand-in-daemon.sh >/usr/sbin/gwha.new; chmod 755 /usr/sbin/gwha.new; mv /usr/sbin/gwha.new /usr/sbin/gwha; }
configure() { # enabled, further lines
	printf "config gwha 'main'\n\toption enabled '%s'\n%b" "$1" "${2:-}" >/etc/config/gwha
}
LAN="config instance 'lan'\n\toption interface 'lan'\n\toption vrid '51'\n\tlist router '192.168.1.2'\n\tlist router '192.168.1.3'\n\tlist vip '192.168.1.1/24'\n"
SYNC="config sync 'peer'\n\toption instance 'lan'\n"
G=/etc/init.d/gwha

# A service that wants to hear of firewall data, as fw4 does.
cat >/etc/init.d/firewall <<'FW'
#!/bin/sh /etc/rc.common
USE_PROCD=1
service_triggers() { procd_add_reload_data_trigger firewall; procd_add_reload_trigger firewall; }
start_service() { :; }
reload_service() { echo reload >>/tmp/firewall.log; }
FW
chmod 755 /etc/init.d/firewall
/etc/init.d/firewall start

echo "# installation"
# The released feeds are out of reach, and this one is not signed.
rm -f /etc/opkg/distfeeds.conf
sed -i '/check_signature/d' /etc/opkg.conf
echo "src/gz gwha file:///test/feed" >/etc/opkg/customfeeds.conf
updates() { opkg update; }
fact "opkg reads the feed's index" updates
fact "and lists the package" contains "$(opkg list gwha)" "gwha - "
installs() { opkg install gwha; }
fact "opkg installs the package" installs
modes() { for f in "$@"; do stat -c '%a %u:%g %n' "$f"; done; }
fact "files have the modes and owners that were packed" equal "755 0:0 /usr/sbin/gwha
755 0:0 /etc/init.d/gwha
600 0:0 /etc/config/gwha
700 0:0 /etc/gwha
755 0:0 /etc/hotplug.d/gwha" "$(modes /usr/sbin/gwha $G /etc/config/gwha /etc/gwha /etc/hotplug.d/gwha)"
fact "it is enabled at boot, early to stop, and before dnsmasq to start" equal "K01gwha S18gwha" "$(cd /etc/rc.d && echo *gwha)"
fact "uci-defaults has run and is gone" test ! -e /etc/uci-defaults/95-gwha
fact "the shipped configuration starts nothing" equal "" "$(pid)"
fact "keys and hooks are kept over a sysupgrade" equal "/etc/gwha/
/etc/hotplug.d/gwha/" "$(cat /lib/upgrade/keep.d/gwha)"

echo "# the real daemon, alone on a LAN"
ip address add 192.168.1.2/24 dev lan0
holds() { ip address show dev lan0 | grep -qF 'inet 192.168.1.1/'; }
holds_not() { ! holds; }
DEVICE="config instance 'lan'\n\toption device 'lan0'\n\toption vrid '51'\n\toption advert_interval '100'\n\tlist router '192.168.1.2'\n\tlist router '192.168.1.3'\n\tlist vip '192.168.1.1/24'\n"
configure 1 "$DEVICE"
$G start
fact "it becomes master" within 100 holds
real=$(pid)
$G reload
sleep 0.5
fact "a reload keeps the role and the process" eval 'holds && [ "$(pid)" = "$real" ]'
fact "its status can be asked for" contains "$(gwha status --json)" '"role"'
kill -9 "$real"
fact "killed, it is back" within 30 eval '[ -n "$(pid)" ] && [ "$(pid)" != "$real" ]'
# The address is there from before; a daemon that has only begun would die of the stop.
serves() { holds && gwha status --json | grep -q '"role": *"master"'; }
fact "and master again" within 100 serves
$G stop
fact "stop takes the gateway address off" holds_not
configure 1 "$DEVICE# broken\nconfig instance 'x'\n\toption vrid '300'\n"
$G start
sleep 2.5
fact "a configuration that cannot be used does not make it come and go" eval '[ "$(pid)" = "$(sleep 2; pid)" ] && [ -n "$(pid)" ]'
configure 1 "$DEVICE"
ubus call service event '{"type":"config.change","data":{"package":"gwha"}}'
fact "and it serves as soon as that is mended" within 130 holds
real=$(pid)
# procd must not bring it back between the two, as after a kill before a removal.
kill -STOP "$real"
ubus call service delete '{"name":"gwha"}'
kill -9 "$real"
within 20 gone "$real"
fact "a daemon that was killed leaves its address" holds
$G disable
fact "disable gives back what was left" holds_not
$G enable

echo "# start"
use_stand_in
configure 1 "$LAN"
fresh
$G start
first=$(pid)
fact "start runs the daemon" within 20 contains_log "$first run"
fact "status says so" equal running "$($G status)"
fact "its firewall rule lets the routers' adverts in, and no more" equal \
	'{"gwha":{"gwha":{"firewall":[{"type":"rule","src":"*","src_ip":["192.168.1.2","192.168.1.3"],"proto":"112","target":"ACCEPT"}]}}}' "$(rules)"
fact "the firewall is told" within 30 test -s /tmp/firewall.log
$G start
fact "a second start changes nothing" equal "$first" "$(pid)"

echo "# reload"
fresh
rm -f /tmp/firewall.log
$G reload
fact "reload signals the daemon once" within 20 contains_log "$first hup"
fact "and keeps it running" equal "$first" "$(pid)"
configure 1 "$LAN$SYNC"
ubus call service event '{"type":"config.change","data":{"package":"gwha"}}'
fact "a changed configuration reaches the daemon by itself" within 40 eval '[ "$(counts hup)" = 2 ]'
fact "the peer channel's port is open to the routers" contains "$(rules)" \
	'{"type":"rule","src":"*","src_ip":["192.168.1.2","192.168.1.3"],"proto":"tcp","dest_port":"8470","target":"ACCEPT"}'
fact "the firewall is told of new rules" within 30 test -s /tmp/firewall.log
fact "the daemon is still the same" equal "$first" "$(pid)"
sleep 1.5
rm -f /tmp/firewall.log
$G reload
sleep 1.5
fact "an unchanged reload leaves the firewall alone" test ! -e /tmp/firewall.log

echo "# crash"
kill -9 "$first"
restarted() { new=$(pid); [ -n "$new" ] && [ "$new" != "$first" ]; }
fact "a crashed daemon is back within two seconds" within 20 restarted
crashes=1
while [ "$crashes" -lt 8 ]; do
	crashes=$((crashes + 1))
	first=$(pid)
	kill -9 "$first"
	within 25 restarted >/dev/null || break
done
fact "and so after the eighth crash in a row" restarted

echo "# upgrade"
first=$(pid)
fresh
use_stand_in 2
$G start
fact "start after the program has changed restarts it (apk upgrade)" within 40 restarted
fact "after the old one has handed over" contains "$(log)" "$first handed over"

echo "# stop and restart"
first=$(pid)
fresh
$G stop
fact "stop returns after the hand-over" contains "$(log)" "$first handed over"
fact "and the daemon is gone" gone "$first"
fact "what it holds back stays as on a standby" lacks "$(log)" release
fact "no firewall rule is left" equal '{}' "$(rules)"
fresh
$G reload
fact "reload starts what is not running" within 20 contains_log " run"
sleep 0.5
fact "and does not signal it" lacks "$(log)" hup
first=$(pid)
fresh
$G restart
fact "restart brings up a new daemon only when the old one is gone" equal "$first handed over
$(pid) run" "$(within 20 contains_log ' run' >/dev/null; log)"

echo "# disable"
first=$(pid)
fresh
configure 0 "$LAN"
$G reload
fact "reload stops what is no longer enabled in the configuration" gone "$first"
fact "and gives everything back" contains "$(log)" " release"
configure 1 "$LAN"
$G start
within 20 contains_log " run" >/dev/null
fresh
$G disable
fact "disable alone leaves the daemon running" test -n "$(pid)"
fact "and gives nothing back yet" lacks "$(log)" release
$G stop
fact "a stop after it does" contains "$(log)" " release"
fresh
$G disable
fact "and so does a disable after the stop" contains "$(log)" " release"
$G enable

echo "# shutdown"
$G start
within 20 contains_log " run" >/dev/null
first=$(pid)
fresh
/etc/rc.d/K01gwha shutdown
fact "a shutdown hands over before it goes on" contains "$(log)" "$first handed over"

echo "# opkg upgrade and removal"
configure 1 "$LAN"
chmod 600 /etc/config/gwha
mine=$(cat /etc/config/gwha)
mkdir -p /etc/gwha
echo secret >/etc/gwha/key
echo 'echo hook' >/etc/hotplug.d/gwha/10-mine
rm -f /tmp/opkg.log
if [ -d newer ]; then
	$G start
	within 20 contains_log " run" >/dev/null
	first=$(pid)
	fresh
	rm -r feed
	mv newer feed
	fact "opkg reads the index of the next release" updates
	fact "and knows that it is newer" contains "$(opkg list-upgradable)" "gwha - "
	upgrades() { opkg upgrade gwha; }
	fact "opkg upgrades" upgrades
	fact "the old daemon is gone" gone "$first"
	fact "the changed configuration is kept" equal "$mine" "$(cat /etc/config/gwha)"
	fact "with its mode" equal 600 "$(stat -c %a /etc/config/gwha)"
	fact "and the new one lies beside it" test -f /etc/config/gwha-opkg
	fact "the key is kept" equal secret "$(cat /etc/gwha/key)"
	fact "it is still enabled" test -L /etc/rc.d/S18gwha
else
	skip "upgrade: no newer package given"
fi
use_stand_in 3
$G start
within 20 contains_log " run" >/dev/null
first=$(pid)
fresh
removes() { opkg remove gwha; }
fact "opkg removes" removes
fact "the daemon is gone" gone "$first"
fact "everything was given back" contains "$(log)" " release"
fact "no program, no init script, no boot link is left" equal "" "$(ls /usr/sbin/gwha $G /etc/rc.d/*gwha 2>/dev/null)"
fact "the changed configuration, the key and the hooks are left" test -f /etc/config/gwha -a -f /etc/gwha/key -a -f /etc/hotplug.d/gwha/10-mine

summary
