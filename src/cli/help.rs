//! The help text.

/// What `gwha --help` prints: 80 columns, simple things first.
pub const TEXT: &str = "\
gwha: two routers act as one gateway

Usage: gwha COMMAND [OPTIONS]

Look
  status [--json]         what is going on, and why
  history [--limit N]     role changes and other events, the youngest last
  leases                  DHCP leases shared with the other router
  check [FILE]            everything that is wrong with a configuration; with
                          --system also what in OpenWrt's own settings would
                          spoil a takeover, and the commands that mend it
  import FILE             a keepalived.conf as a configuration for gwha; what
                          could not be carried over on standard error

Act
  switch [--to NODE]      move the role to the other router, or to NODE: an
                          address, `peer` or `self`. Refused, with nothing lost,
                          if nobody takes over.
  maintenance on|off      serve only if nobody else does; kept over a reboot
  reload                  read the configuration again; what is unchanged is not
                          touched, and a bad file changes nothing
  sync                    copy leases and files now
  pair                    show a line that, typed on another router, gives both
                          one key and one configuration, and starts them;
                          --vip ADDRESS, --listen ADDRESS, --interface NAME,
                          --minutes N (default 10), --background; --show
                          says how one in the background stands
  pair ADDRESS CODE       that line. On either side --force gives up the key
                          and the configuration that this router has
  keygen [FILE]           make a key for the channel between the routers
                          (default /etc/gwha/key; never overwrites one)

Serve
  run [--stderr]          the daemon, in the foreground. It logs to syslog, and
                          to standard error if that is a terminal or with
                          --stderr. SIGHUP reloads, SIGTERM hands over and ends.
  release                 put away what a stopped or killed daemon has left on
                          this router; the init script does, at a removal

Options
  --config FILE           configuration (default /etc/config/gwha)
  --run-dir DIR           control socket and run-time files of this daemon
                          (default /var/run/gwha; with another: no ubus)
  --ubus SOCKET           ubusd's socket (default /var/run/ubus/ubus.sock, then
                          /var/run/ubus.sock). The object's name is `gwha`.
  --json                  status, history, leases: as ubus gives them
  --version, --help

Exit codes
  0   healthy; done
  1   degraded: there are warnings; or refused, and nothing has changed
  2   critical: no master, two masters, or a faulted one; a configuration that
      can't be used; or the command failed
  3   gwha is not running
  64  wrong usage
";

#[cfg(test)]
mod tests {
    #[test]
    fn help_fits_a_terminal() {
        for line in super::TEXT.lines() {
            assert!(line.len() <= 80, "{} columns: {line}", line.len());
        }
    }
}
