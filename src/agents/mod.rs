//! What changes the kernel: virtual IPs, probes, pings.
