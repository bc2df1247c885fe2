//! Names of block devices.

/// One that the kernel gives in the order in which it finds disks, which another boot may change.
pub fn is_kernels_name(device: &str) -> bool {
    let name = device.strip_prefix("/dev/").unwrap_or_default();
    let numbered = |kind: &str| {
        let rest = name.strip_prefix(kind);
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    let kinds = [
        "sd", "vd", "xvd", "hd", "nvme", "mmcblk", "dm-", "loop", "md",
    ];
    kinds.into_iter().any(numbered) && !name.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_another_boot_may_give_to_another_disk() {
        for name in ["/dev/sdb1", "/dev/nvme0n1p2", "/dev/dm-3", "/dev/vda"] {
            assert!(is_kernels_name(name), "{name}");
        }
        for name in [
            "/dev/drbd1",
            "/dev/disk/by-id/x",
            "/dev/mapper/data",
            "/dev/vg0/data",
            "/dev/md/data",
        ] {
            assert!(!is_kernels_name(name), "{name}");
        }
    }
}
