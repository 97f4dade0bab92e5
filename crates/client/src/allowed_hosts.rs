//! Which hosts may be called.
//!
//! Partners register the addresses that the platform calls. Without a list, whoever can register
//! one could make the platform call its own insides; without a check of the resolved address, a
//! listed name could be pointed there later.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr as _;
use std::sync::Arc;

use url::{Host, Url};

use crate::address::{Network, SpecialAddress};

/// Which hosts a call may go to.
#[derive(Clone, Debug)]
pub enum HostGuard {
    /// Any: a person at the command line chose the address.
    Anywhere,
    /// Those of the list.
    Listed(Arc<AllowedHosts>),
}

impl HostGuard {
    pub(crate) fn permits_url(&self, url: &Url) -> Result<(), HostRefused> {
        match self {
            Self::Anywhere => web_target(url).map(|_| ()),
            Self::Listed(hosts) => hosts.permits_url(url),
        }
    }

    pub(crate) fn permits_address(
        &self,
        host: &str,
        port: u16,
        address: IpAddr,
    ) -> Result<(), HostRefused> {
        match self {
            Self::Anywhere => Ok(()),
            Self::Listed(hosts) => hosts.permits_address(host, port, address),
        }
    }
}

/// A list of hosts that may be called.
///
/// Entries are names (`his.example.cn`), addresses (`10.1.2.3`, `fd00::1`), both also with a port
/// (`his.example.cn:8443`, `[fd00::1]:80`), ranges (`10.1.0.0/16`, `fd00::/8`), and the word
/// `loopback`, which is this machine on any port (127.0.0.0/8, ::1, `localhost`), for sandboxes.
/// `Display` and [`AllowedHosts::entries`] give them back in a form that parses to the same list.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AllowedHosts {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Loopback,
    /// A range, on this port or on any.
    Network(Network, Option<u16>),
    /// A name in lower case, on this port or on any.
    Name(String, Option<u16>),
}

/// An entry that names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{entry:?} is no host entry: {reason}")]
pub struct BadHostEntry {
    /// The entry as it was given.
    pub entry: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Why a host may not be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostRefused {
    /// The address is not an `http` or `https` one with a host, or it carries user info.
    #[error("not an http or https address without user info")]
    NotWebAddress,
    /// No entry of the list covers the host.
    #[error("{host}:{port} is not among the allowed hosts")]
    NotListed {
        /// The host as it stands in the address.
        host: String,
        /// The port.
        port: u16,
    },
    /// The host is listed, but it stands for an address that it must not.
    #[error("{host}:{port} stands for {address}, a {special} address that no entry names")]
    SpecialAddress {
        /// The host as it stands in the address.
        host: String,
        /// The port.
        port: u16,
        /// What it resolved to.
        address: IpAddr,
        /// What is special about it.
        special: SpecialAddress,
    },
    /// The host is allowed only as a name of this machine, and it stands for another address.
    #[error("{host}:{port} stands for {address}, which is not among the allowed hosts")]
    OtherAddress {
        /// The host as it stands in the address.
        host: String,
        /// The port.
        port: u16,
        /// What it resolved to.
        address: IpAddr,
    },
}

impl AllowedHosts {
    /// Reads the entries; white space around them does not matter.
    ///
    /// # Errors
    /// The first entry that names no host.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, BadHostEntry> {
        let entries = entries
            .into_iter()
            .map(|entry| {
                parse_entry(entry.trim()).map_err(|reason| BadHostEntry {
                    entry: entry.to_owned(),
                    reason,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }

    /// The entries, each in a form that parses to itself.
    pub fn entries(&self) -> impl Iterator<Item = String> {
        self.entries.iter().map(Entry::to_string)
    }

    /// Whether nothing at all may be called.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the host of this address may be called, as far as can be told before resolving it.
    ///
    /// # Errors
    /// Why it may not.
    pub fn permits_url(&self, url: &Url) -> Result<(), HostRefused> {
        let (host, port) = web_target(url)?;
        match host {
            Host::Domain(name) if self.names(name, port) || self.is_loopback_name(name) => Ok(()),
            Host::Domain(name) => Err(not_listed(name, port)),
            Host::Ipv4(address) => self.permits_literal(address.into(), port),
            Host::Ipv6(address) => self.permits_literal(address.into(), port),
        }
    }

    /// Whether a call to this host (a name, or an address with or without brackets) may connect
    /// to this address.
    ///
    /// # Errors
    /// Why it may not.
    pub fn permits_address(
        &self,
        host: &str,
        port: u16,
        address: IpAddr,
    ) -> Result<(), HostRefused> {
        if let Some(literal) = literal(host) {
            self.permits_literal(literal, port)?;
            return if literal.to_canonical() == address.to_canonical() {
                Ok(())
            } else {
                Err(other_address(host, port, address))
            };
        }
        let named = self.names(host, port);
        if !named && !self.is_loopback_name(host) {
            return Err(not_listed(host, port));
        }
        match SpecialAddress::of(address.to_canonical()) {
            _ if self.covers(address, port) => Ok(()),
            None if named => Ok(()),
            None => Err(other_address(host, port, address)),
            Some(special) => Err(HostRefused::SpecialAddress {
                host: host.to_owned(),
                port,
                address,
                special,
            }),
        }
    }

    fn permits_literal(&self, address: IpAddr, port: u16) -> Result<(), HostRefused> {
        if self.covers(address, port) {
            Ok(())
        } else {
            Err(not_listed(&address.to_string(), port))
        }
    }

    fn names(&self, host: &str, port: u16) -> bool {
        self.entries.iter().any(|entry| match entry {
            Entry::Name(name, at) => {
                name.eq_ignore_ascii_case(host) && at.is_none_or(|at| at == port)
            }
            Entry::Loopback | Entry::Network(..) => false,
        })
    }

    fn is_loopback_name(&self, host: &str) -> bool {
        host.eq_ignore_ascii_case("localhost") && self.entries.contains(&Entry::Loopback)
    }

    /// Whether an entry names this address. A range names a special address only where it lies
    /// within that special range: `0.0.0.0/0` is said by people who mean the world, not this
    /// machine.
    fn covers(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        let special = SpecialAddress::of(address);
        self.entries.iter().any(|entry| match entry {
            Entry::Loopback => address.is_loopback(),
            Entry::Network(network, at) => {
                at.is_none_or(|at| at == port)
                    && network.contains(address)
                    && special.is_none_or(|special| network.is_wholly(special))
            }
            Entry::Name(..) => false,
        })
    }
}

impl fmt::Display for AllowedHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, entry) in self.entries.iter().enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            entry.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = match self {
            Self::Loopback => {
                f.write_str(LOOPBACK)?;
                None
            }
            Self::Network(network, port) => {
                network.write(f, *port)?;
                *port
            }
            Self::Name(name, port) => {
                f.write_str(name)?;
                *port
            }
        };
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

const LOOPBACK: &str = "loopback";

/// The host and port of an address that we can call at all.
pub(crate) fn web_target(url: &Url) -> Result<(Host<&str>, u16), HostRefused> {
    let plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none();
    match (url.host(), url.port_or_known_default()) {
        (Some(host), Some(port)) if plain && port != 0 => Ok((host, port)),
        _ => Err(HostRefused::NotWebAddress),
    }
}

fn parse_entry(entry: &str) -> Result<Entry, &'static str> {
    if entry.eq_ignore_ascii_case(LOOPBACK) {
        return Ok(Entry::Loopback);
    }
    if entry.contains("://") {
        return Err("write the host without http:// and path");
    }
    if let Some((first, prefix)) = entry.split_once('/') {
        return parse_range(first, prefix);
    }
    if let Some(address) = literal(entry) {
        return Ok(Entry::Network(Network::single(address), None));
    }
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) => (host, Some(parse_port(port)?)),
        None => (entry, None),
    };
    match literal(host) {
        // `fd00::1:80` could be meant either way.
        Some(IpAddr::V6(_)) if !host.starts_with('[') => {
            Err("write an IPv6 address with a port in brackets, as [fd00::1]:80")
        }
        Some(address) => Ok(Entry::Network(Network::single(address), port)),
        None => Ok(Entry::Name(parse_name(host)?, port)),
    }
}

fn parse_range(first: &str, prefix: &str) -> Result<Entry, &'static str> {
    let first = IpAddr::from_str(first)
        .map_err(|_| "a range begins with an address and carries no port, as 10.1.0.0/16")?;
    let prefix = parse_number(prefix).ok_or("a range ends in its number of fixed bits, as /16")?;
    let network = Network::new(first, prefix)
        .ok_or("the range's first address has bits beyond its fixed ones, or too many are fixed")?;
    Ok(Entry::Network(network, None))
}

fn parse_port(text: &str) -> Result<u16, &'static str> {
    parse_number(text)
        .filter(|port| *port != 0)
        .ok_or("a port is a number from 1 to 65535")
}

/// A decimal number without sign.
fn parse_number<N: std::str::FromStr>(text: &str) -> Option<N> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// A name in the form that it has in a parsed address: lower case, Chinese in punycode.
fn parse_name(name: &str) -> Result<String, &'static str> {
    const NO_NAME: &str = "a host name is letters, digits, hyphens and dots, without wildcards";
    let Ok(Host::Domain(parsed)) = Host::parse(name) else {
        // Host::parse reads 0x7f.1 and 2130706433 as addresses.
        return Err("neither a host name nor an address in its usual form");
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.contains('%') {
        Err(NO_NAME)
    } else if parsed.ends_with('.') {
        Err("write the name without its last dot")
    } else if parsed
        .split('.')
        .all(|label| !label.is_empty() && label.bytes().all(plain))
    {
        Ok(parsed)
    } else {
        Err(NO_NAME)
    }
}

/// The address that this host is, if it is one; IPv6 with or without brackets.
fn literal(host: &str) -> Option<IpAddr> {
    match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(inner) => Ipv6Addr::from_str(inner).ok().map(IpAddr::V6),
        None => IpAddr::from_str(host).ok(),
    }
}

fn not_listed(host: &str, port: u16) -> HostRefused {
    HostRefused::NotListed {
        host: host.to_owned(),
        port,
    }
}

fn other_address(host: &str, port: u16, address: IpAddr) -> HostRefused {
    HostRefused::OtherAddress {
        host: host.to_owned(),
        port,
        address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(entries: &str) -> AllowedHosts {
        AllowedHosts::parse(entries.split_whitespace()).unwrap()
    }

    fn allows(entries: &str, url: &str) -> bool {
        hosts(entries)
            .permits_url(&Url::parse(url).unwrap())
            .is_ok()
    }

    #[test]
    fn each_kind_of_entry_permits_its_hosts_and_no_other() {
        for (entries, permitted, refused) in [
            (
                "his.example.cn",
                "http://his.example.cn/ https://HIS.Example.CN:8443/a?b http://his.example.cn:80/",
                "http://example.cn/ http://a.his.example.cn/ http://his.example.cn.evil.cn/ \
                 http://his.example.cn./ http://his-example.cn/ http://10.0.0.1/",
            ),
            (
                "his.example.cn:8443",
                "https://his.example.cn:8443/ http://his.example.cn:8443/",
                "https://his.example.cn/ http://his.example.cn:844/x",
            ),
            (
                "HIS.example.cn:443",
                "https://his.example.cn/",
                "http://his.example.cn/",
            ),
            (
                "医院.cn",
                "http://医院.cn/ http://xn--ekrs67m.cn/",
                "http://医院.com/",
            ),
            (
                "10.1.2.3",
                "http://10.1.2.3/ http://10.1.2.3:8080/ http://[::ffff:10.1.2.3]/ \
                 http://167838211/ http://0x0a.1.2.3/ http://10.1.515/ http://012.1.2.3/ http://10.1.2.3./",
                "http://10.1.2.4/ http://his.example.cn/ http://[::10.1.2.3]/",
            ),
            (
                "10.1.2.3:8080",
                "http://10.1.2.3:8080/",
                "http://10.1.2.3/ http://10.1.2.3:8081/",
            ),
            (
                "10.1.0.0/16",
                "http://10.1.0.0/ http://10.1.255.255:9/",
                "http://10.2.0.0/ http://10.0.255.255/ http://[fd00::1]/",
            ),
            (
                "[fd00::1]:80",
                "http://[fd00::1]/ http://[FD00:0::0:1]:80/",
                "http://[fd00::1]:81/ http://[fd00::2]/",
            ),
            ("[fd00::1]", "http://[fd00::1]:81/", "http://[fd00::2]/"),
            ("fd00::1", "http://[fd00::1]:81/", "http://[fd00::2]/"),
            (
                "fd00::/8",
                "http://[fd00::1]/ http://[fdff:ffff::]/",
                "http://[fc00::1]/ http://[fe80::1]/ http://10.0.0.1/",
            ),
            (
                "::ffff:10.0.0.0/104",
                "http://10.9.9.9/ http://[::ffff:10.9.9.9]/",
                "http://11.0.0.1/",
            ),
            (
                "loopback",
                "http://127.0.0.1:5/ http://127.9.9.9/ http://[::1]:8/ http://localhost:9/ \
                 http://[::ffff:127.0.0.1]/ http://2130706433/ http://0x7f.1/",
                "http://localhost./ http://localhost.evil.cn/ http://0.0.0.0/ http://10.0.0.1/ http://[::]/",
            ),
            (
                "0.0.0.0/0",
                "http://8.8.8.8/ http://10.0.0.1/",
                "http://127.0.0.1/ http://169.254.169.254/ http://0.0.0.0/ http://255.255.255.255/ \
                 http://224.0.0.1/ http://[::ffff:127.0.0.1]/ http://[fd00::1]/",
            ),
            (
                "::/0",
                "http://[fd00::1]/ http://[64:ff9b::8.8.8.8]/",
                "http://[::1]/ http://[::]/ http://[fe80::1]/ http://[ff02::1]/ http://8.8.8.8/ \
                 http://[64:ff9b::169.254.169.254]/ http://[::127.0.0.1]/",
            ),
            (
                "127.0.0.0/8 169.254.7.0/24 fe80::/10",
                "http://127.0.0.1/ http://169.254.7.7/ http://[fe80::1]/",
                "http://169.254.169.254/ http://localhost/ http://[::1]/",
            ),
            ("", "", "http://his.example.cn/ http://127.0.0.1/"),
        ] {
            for url in permitted.split_whitespace() {
                assert!(allows(entries, url), "{entries} permits {url}");
            }
            for url in refused.split_whitespace() {
                assert!(!allows(entries, url), "{entries} refuses {url}");
            }
        }
    }

    #[test]
    fn only_web_addresses_without_user_info_are_called() {
        for url in [
            "http://user@his.example.cn/",
            "http://user:word@his.example.cn/",
            "http://:word@his.example.cn/",
            "http://his.example.cn@evil.cn/",
            "ftp://his.example.cn/",
            "file:///etc/passwd",
            "data:,x",
            "http://his.example.cn:0/",
        ] {
            let url = Url::parse(url).unwrap();
            for guard in [
                HostGuard::Anywhere,
                HostGuard::Listed(Arc::new(hosts("his.example.cn"))),
            ] {
                assert_eq!(
                    guard.permits_url(&url),
                    Err(HostRefused::NotWebAddress),
                    "{url}"
                );
            }
        }
    }

    #[test]
    fn a_name_may_stand_for_any_address_that_is_not_special() {
        let permits = |entries: &str, host: &str, address: &str| {
            hosts(entries)
                .permits_address(host, 443, address.parse().unwrap())
                .is_ok()
        };
        let name = "his.example.cn";
        for address in [
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "8.8.8.8",
            "fd00::1",
            "2001:db8::1",
        ] {
            assert!(permits(name, "HIS.example.cn", address), "{address}");
            assert!(!permits("loopback", "localhost", address), "{address}");
        }
        for address in [
            "127.0.0.1",
            "127.1.2.3",
            "::1",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "169.254.169.254",
            "fe80::1",
            "febf::1",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
        ] {
            for entries in [
                name,
                "his.example.cn 10.0.0.0/8",
                "his.example.cn 0.0.0.0/0 ::/0",
            ] {
                assert!(!permits(entries, name, address), "{entries}: {address}");
            }
            let explicit = format!("{name} {address}");
            assert!(permits(&explicit, name, address), "{explicit}");
            let other_port = if address.contains(':') {
                format!("{name} [{address}]:80")
            } else {
                format!("{name} {address}:80")
            };
            assert!(!permits(&other_port, name, address), "{other_port}");
        }
        assert!(permits("his.example.cn loopback", name, "::ffff:127.0.0.1"));
        assert!(!permits("his.example.cn", "other.example.cn", "10.0.0.1"));
        assert!(
            !permits("10.0.0.0/8", "other.example.cn", "10.0.0.1"),
            "a range lists addresses, not the names that stand for them"
        );
        assert!(
            !permits("10.0.0.0/8", "10.0.0.1", "10.0.0.2"),
            "an address stands for itself"
        );
        assert!(permits("fd00::/8", "[fd00::1]", "fd00::1"));
    }

    #[test]
    fn entries_come_back_as_they_parse() {
        for (given, back) in [
            ("HIS.Example.cn", "his.example.cn"),
            ("his.example.cn:8443", "his.example.cn:8443"),
            ("医院.cn", "xn--ekrs67m.cn"),
            (" 10.1.2.3 ", "10.1.2.3"),
            ("10.1.2.3:8080", "10.1.2.3:8080"),
            ("10.1.0.0/16", "10.1.0.0/16"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("10.1.2.3/32", "10.1.2.3"),
            ("[FD00::1]:80", "[fd00::1]:80"),
            ("[fd00::1]", "fd00::1"),
            ("fd00::/8", "fd00::/8"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("Loopback", "loopback"),
        ] {
            let parsed = AllowedHosts::parse([given]).unwrap();
            assert_eq!(parsed.to_string(), back);
            assert_eq!(AllowedHosts::parse([back]).unwrap(), parsed, "{given}");
        }
        let many = AllowedHosts::parse(["loopback", "10.0.0.0/8"]).unwrap();
        assert_eq!(many.to_string(), "loopback, 10.0.0.0/8");
        let entries: Vec<String> = many.entries().collect();
        assert_eq!(
            AllowedHosts::parse(entries.iter().map(String::as_str)),
            Ok(many)
        );
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for entry in [
            "",
            " ",
            "http://his.example.cn",
            "his.example.cn/path",
            "*.example.cn",
            "*",
            "his.example.cn.",
            "his..cn",
            ".cn",
            "his.example.cn:0",
            "his.example.cn:65536",
            "his.example.cn:+80",
            "his.example.cn:",
            "his example.cn",
            "user@his.example.cn",
            "%68is.example.cn",
            "10.1.2.3/16",
            "10.1.0.0/33",
            "10.1.0.0/",
            "10.1.0.0/-1",
            "10.1.0.0/16:80",
            "fd00::1/8",
            "::ffff:0:0/80",
            "2130706433",
            "0x7f.1",
            "127.1",
            "10.1.2.256",
            "[fd00::1",
            "[10.1.2.3]",
            "fd00::1]:80",
            "fd00:0:0:0:0:0:0:1:80",
        ] {
            let refused = AllowedHosts::parse(["10.0.0.1", entry]).unwrap_err();
            assert_eq!(refused.entry, entry);
        }
    }
}
