//! Free ports of this machine.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// Ports that are handed out. They are below those that systems commonly give to outgoing connections (from 32,768 on
/// Linux), any of which could take a port after it was found free and before it is used.
const PORTS: Range<u16> = 10_000..30_000;

/// Where this process looks next, counted from the first of [`PORTS`].
static NEXT_PORT: AtomicU32 = AtomicU32::new(0);

/// The first of `count` consecutive loopback ports that are free at the moment. No two calls in one process get the
/// same ports, and every process begins its search at another place.
///
/// # Errors
/// If there are no such ports.
pub fn free_ports(count: usize) -> io::Result<u16> {
    let size = u32::from(PORTS.end - PORTS.start);
    let step = u32::try_from(count.max(1)).unwrap_or(size);
    let offset = std::process::id().wrapping_mul(101);
    for _ in 0..size / step {
        let at = NEXT_PORT.fetch_add(step, Ordering::Relaxed);
        let first = u32::from(PORTS.start) + offset.wrapping_add(at) % size;
        let mut ports = first..first + step;
        let free = |port: u32| {
            let port = u16::try_from(port).ok().filter(|port| PORTS.contains(port));
            port.is_some_and(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        };
        if ports.all(free) {
            return Ok(u16::try_from(first).unwrap_or(PORTS.start));
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!("there are no {count} consecutive free ports"),
    ))
}
