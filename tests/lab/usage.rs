//! What a program costs while nothing happens.

use crate::lab::Outcome;
use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// A process and all that descend from it.
pub fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name, in parentheses, may contain anything.
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        if let Some(parent) = after
            .split(' ')
            .nth(1)
            .and_then(|parent| parent.parse().ok())
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        found.extend(children.remove(&found[next]).unwrap_or_default());
        next += 1;
    }
    found
}

/// Measures a process and its descendants for a while, and says it in one line.
pub fn measure(root: u32, during: Duration) -> Outcome<String> {
    let pids = tree(root);
    let before = totals(&pids)?;
    std::thread::sleep(during);
    let after = totals(&pids)?;
    let share = (after.run_ns - before.run_ns) as f64 / during.as_nanos() as f64 * 100.0;
    let switches = (after.switches - before.switches) as f64 / during.as_secs_f64();
    Ok(format!(
        "{} processes, {} threads, RSS {:.1} MB, locked {:.1} MB, CPU {share:.2} %, {switches:.0} context switches/s",
        pids.len(),
        after.threads,
        after.rss_kb as f64 / 1e3,
        after.locked_kb as f64 / 1e3,
    ))
}

#[derive(Default)]
struct Totals {
    threads: usize,
    rss_kb: u64,
    locked_kb: u64,
    run_ns: u64,
    switches: u64,
}

fn totals(pids: &[u32]) -> Outcome<Totals> {
    let mut sum = Totals::default();
    for pid in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        sum.rss_kb += field(&status, "VmRSS:");
        sum.locked_kb += field(&status, "VmLck:");
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?.path();
            let status = fs::read_to_string(task.join("status"))?;
            sum.threads += 1;
            sum.switches += field(&status, "voluntary_ctxt_switches:");
            sum.switches += field(&status, "nonvoluntary_ctxt_switches:");
            let schedule = fs::read_to_string(task.join("schedstat"))?;
            sum.run_ns += schedule
                .split(' ')
                .next()
                .and_then(|ns| ns.parse().ok())
                .unwrap_or(0);
        }
    }
    Ok(sum)
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
