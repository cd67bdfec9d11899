#!/bin/sh
# Stands in for /usr/sbin/gwha where a test must see what the init script does
# to the daemon: writes what it is told to /tmp/daemon.log. VERSION
echo "$$ $*" >>/tmp/daemon.log
case $1 in
run)
	mkdir -p /var/run/gwha
	trap 'echo "$$ hup" >>/tmp/daemon.log' HUP
	trap 'sleep 0.5; echo "$$ handed over" >>/tmp/daemon.log; exit 0' TERM
	while :; do sleep 0.1; done ;;
esac
