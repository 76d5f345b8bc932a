//! Free ports for servers that start later, stop, and start again on the same port.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which the kernel takes the ports of outgoing connections. A port of that range could be
/// taken while its server is away; worse, a client that keeps trying a closed one can end up connected to itself.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// How far apart the searches of two test processes with neighbouring ids begin.
const STRIDE: u32 = 97;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port on which nothing listens, given out once in this process.
pub fn free() -> u16 {
    let start = process::id().wrapping_mul(STRIDE) % u32::from(COUNT);
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = u16::try_from((start + step) % u32::from(COUNT)).expect("COUNT is a u16");
        let port = FIRST + offset;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free between {FIRST} and {}", FIRST + COUNT)
}
