//! Who a program runs as, from /etc/passwd and /etc/group. What only a directory service knows is not found
//! here; in a transient unit systemd looks users up by itself.

use std::fs;
use std::io;

/// A user, with all that is needed to become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The number.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// All groups, the primary one among them.
    pub groups: Vec<u32>,
}

impl User {
    /// None: this machine's files do not know that name.
    pub fn find(name: &str) -> io::Result<Option<User>> {
        let passwd = fs::read_to_string("/etc/passwd")?;
        let group = fs::read_to_string("/etc/group").unwrap_or_default();
        Ok(parse(name, &passwd, &group))
    }
}

/// See passwd(5) and group(5).
fn parse(name: &str, passwd: &str, group: &str) -> Option<User> {
    let user = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let mut user = (fields.next()? == name).then_some(fields)?.skip(1);
        Some((user.next()?.parse().ok()?, user.next()?.parse().ok()?))
    });
    let (uid, gid) = user?;
    let member_of = group.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let member = fields.get(3)?.split(',').any(|member| member == name);
        member.then(|| fields[2].parse().ok()).flatten()
    });
    let mut groups: Vec<u32> = member_of.chain([gid]).collect();
    groups.sort_unstable();
    groups.dedup();
    Some(User { uid, gid, groups })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nnginx:x:101:102::/nonexistent:/bin/false\n\
                          broken:x\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:syslog,nginx\nnginx:x:102:\nssl-cert:x:110:nginx\n";

    #[test]
    fn a_user_has_all_groups() {
        let nginx = User {
            uid: 101,
            gid: 102,
            groups: vec![4, 102, 110],
        };
        assert_eq!(parse("nginx", PASSWD, GROUP), Some(nginx));
        assert_eq!(parse("ngin", PASSWD, GROUP), None);
        assert_eq!(parse("broken", PASSWD, GROUP), None);
        assert_eq!(User::find("root").unwrap().unwrap().uid, 0);
    }
}
