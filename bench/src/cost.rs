//! What processes cost, from the kernel's own books. Linux only, like the peers it is compared
//! with in the published table.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};

/// CPU seconds and memory of a set of processes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// User and system time, seconds.
    pub cpu: f64,
    /// Proportional set size, MB.
    pub pss: f64,
}

/// The cost of processes and their descendants so far.
pub fn of(pids: &[u32]) -> Result<Cost> {
    let mut total = Cost::default();
    for pid in with_descendants(pids)? {
        // A child that ended a moment ago counts through its parent's next reading or not at all.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        let fields: Vec<&str> = stat
            .rsplit_once(") ")
            .context("stat")?
            .1
            .split(' ')
            .collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        total.cpu += ticks / 100.0;
        if let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
            let kb = rollup
                .lines()
                .find_map(|l| l.strip_prefix("Pss:"))
                .and_then(|l| l.split_whitespace().next());
            total.pss += kb.context("Pss")?.parse::<f64>()? / 1000.0;
        }
    }
    Ok(total)
}

fn with_descendants(pids: &[u32]) -> Result<Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        let Some((_, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        if let Some(parent) = rest.split(' ').nth(1).and_then(|p| p.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut all = pids.to_vec();
    let mut at = 0;
    while at < all.len() {
        all.extend(children.remove(&all[at]).unwrap_or_default());
        at += 1;
    }
    Ok(all)
}
