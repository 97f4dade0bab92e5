//! Address ranges, and the addresses that no partner's name may stand for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not one that a partner's server has.
///
/// Private ranges (10/8, 172.16/12, 192.168/16, fc00::/7) are not among them: hospitals live there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecialAddress {
    /// 127.0.0.0/8, ::1.
    Loopback,
    /// 0.0.0.0/8, ::, which the system takes for itself.
    Unspecified,
    /// 169.254.0.0/16, fe80::/10; cloud providers keep their secrets there.
    LinkLocal,
    /// 224.0.0.0/4, ff00::/8.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
}

impl SpecialAddress {
    /// What is special about this address, in whatever form it is written.
    pub(crate) fn of(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => Self::of_v6(v6),
        }
    }

    const fn of_v4(address: Ipv4Addr) -> Option<Self> {
        if address.is_loopback() {
            Some(Self::Loopback)
        } else if address.octets()[0] == 0 {
            Some(Self::Unspecified)
        } else if address.is_link_local() {
            Some(Self::LinkLocal)
        } else if address.is_multicast() {
            Some(Self::Multicast)
        } else if address.is_broadcast() {
            Some(Self::Broadcast)
        } else {
            None
        }
    }

    fn of_v6(address: Ipv6Addr) -> Option<Self> {
        if address.is_loopback() {
            Some(Self::Loopback)
        } else if address.is_unspecified() {
            Some(Self::Unspecified)
        } else if address.is_unicast_link_local() {
            Some(Self::LinkLocal)
        } else if address.is_multicast() {
            Some(Self::Multicast)
        } else {
            embedded_v4(address).and_then(Self::of_v4)
        }
    }
}

impl fmt::Display for SpecialAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "loopback",
            Self::Unspecified => "unspecified",
            Self::LinkLocal => "link-local",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
        })
    }
}

/// The IPv4 address that a mapped (`::ffff:0:0/96`), compatible (`::/96`) or translated
/// (`64:ff9b::/96`, NAT64) address leads to.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

/// A range of addresses, a single one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// The range of this one address.
    pub(crate) fn single(address: IpAddr) -> Self {
        let first = address.to_canonical();
        Self {
            first,
            prefix: width(first),
        }
    }

    /// The range with this first address and so many fixed bits; `None` where the first address
    /// has bits beyond them.
    pub(crate) fn new(first: IpAddr, prefix: u8) -> Option<Self> {
        let free = width(first).checked_sub(prefix)?;
        if bits(first) & low_bits(free) != 0 {
            return None;
        }
        let canonical = first.to_canonical();
        // A mapped IPv4 range (::ffff:10.0.0.0/104) is the IPv4 range.
        let prefix = width(canonical).checked_sub(free)?;
        Some(Self {
            first: canonical,
            prefix,
        })
    }

    /// Whether the address lies in the range; `address` in its canonical form.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4()
            && bits(self.first) == bits(address) & !low_bits(self.free())
    }

    /// Whether every address of the range is special in this one way. The ranges of each way are
    /// contiguous, so looking at both ends is enough.
    pub(crate) fn is_wholly(self, special: SpecialAddress) -> bool {
        [self.first, self.last()]
            .into_iter()
            .all(|end| SpecialAddress::of(end) == Some(special))
    }

    fn free(self) -> u8 {
        width(self.first) - self.prefix
    }

    fn last(self) -> IpAddr {
        match self.first {
            IpAddr::V4(v4) => {
                // Masking keeps the 32 bits that an IPv4 address has.
                let free = u32::try_from(low_bits(self.free())).unwrap_or(u32::MAX);
                Ipv4Addr::from_bits(v4.to_bits() | free).into()
            }
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() | low_bits(self.free())).into(),
        }
    }

    /// Writes the range as an entry has it, the address in brackets where a port follows.
    pub(crate) fn write(self, f: &mut fmt::Formatter<'_>, port: Option<u16>) -> fmt::Result {
        match (self.first, port) {
            (IpAddr::V6(v6), Some(_)) => write!(f, "[{v6}]")?,
            (address, _) => write!(f, "{address}")?,
        }
        if self.free() > 0 {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// So many ones at the low end.
fn low_bits(count: u8) -> u128 {
    1_u128
        .checked_shl(count.into())
        .map_or(u128::MAX, |above| above - 1)
}
