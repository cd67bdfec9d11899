#!/bin/sh
# Run by the packages feed's CI on the installed package: $1 name, $2 version.

[ "$1" = gwha ] || exit 0

gwha --version | grep -F "$2" || exit 1

# What is shipped must be accepted, and something wrong must not be.
gwha check /etc/config/gwha || exit 1
printf 'config instance x\n\toption vrid 300\n' >/tmp/gwha-bad
! gwha check /tmp/gwha-bad || exit 1
rm /tmp/gwha-bad
