//! How much memory tensors may take, so that running out of it is an error of ours and not the kernel's kill.

use std::fs::read_to_string;
use std::path::Path;

/// Share of the memory that is left to everything but tensors: pictures, snapshots while they are written, JavaScript.
const KEPT_BACK: usize = 8;

/// Most bytes of tensors: of what this machine has available, and what the process's control groups allow, the smaller; no
/// limit where neither is known.
pub fn default_limit() -> usize {
    limit_under(Path::new("/"))
}

/// [`default_limit`] by the files of `/proc` and `/sys` below a root.
fn limit_under(root: &Path) -> usize {
    let room = available(root).into_iter().chain(groups(root)).min();
    room.map_or(usize::MAX, |room| room - room / KEPT_BACK)
}

fn available(root: &Path) -> Option<usize> {
    let info = read_to_string(root.join("proc/meminfo")).ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<usize>().ok()? * 1024)
}

/// What is left in each control group around this process. A container may see its own group as the root of the tree, so
/// every folder on the way up is asked.
fn groups(root: &Path) -> Vec<usize> {
    let own = read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let paths = own.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        match controllers {
            "" => Some((root.join("sys/fs/cgroup"), path, V2)),
            _ if controllers.split(',').any(|one| one == "memory") => {
                Some((root.join("sys/fs/cgroup/memory"), path, V1))
            }
            _ => None,
        }
    });
    paths
        .flat_map(|(tree, path, files)| {
            Path::new(path.trim_start_matches('/'))
                .ancestors()
                .map(|part| room(&tree.join(part), &files))
                .collect::<Vec<_>>()
        })
        .flatten()
        .collect()
}

/// Names of a group's files: its limit, what it uses, and the lines of `memory.stat` that count what can be taken back.
struct Files {
    limit: &'static str,
    usage: &'static str,
    reclaimable: [&'static str; 2],
}

const V2: Files =
    Files { limit: "memory.max", usage: "memory.current", reclaimable: ["inactive_file ", "active_file "] };
const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: ["total_inactive_file ", "total_active_file "],
};

/// What a group may still take; none if it has no limit.
fn room(group: &Path, files: &Files) -> Option<usize> {
    let number = |name: &str| read_to_string(group.join(name)).ok()?.trim().parse::<usize>().ok();
    let limit = number(files.limit)?;
    let stat = read_to_string(group.join("memory.stat")).unwrap_or_default();
    let cached = files
        .reclaimable
        .iter()
        .filter_map(|name| stat.lines().find_map(|line| line.strip_prefix(name)?.parse::<usize>().ok()));
    let used = number(files.usage).unwrap_or(0).saturating_sub(cached.sum());
    Some(limit.saturating_sub(used))
}

#[cfg(test)]
mod tests {
    use super::limit_under;
    use std::fs::{create_dir_all, remove_dir_all, write};
    use std::path::PathBuf;

    /// A root with these files.
    fn root(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("stylegan-limit-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            create_dir_all(path.parent().expect("a folder")).expect("it is made");
            write(path, text).expect("it is written");
        }
        root
    }

    fn limit(name: &str, files: &[(&str, &str)]) -> usize {
        let root = root(name, files);
        let limit = limit_under(&root);
        remove_dir_all(&root).unwrap_or_default();
        limit
    }

    const MEMORY: (&str, &str) = ("proc/meminfo", "MemTotal:       16000 kB\nMemAvailable:    8000 kB\n");

    #[test]
    fn the_limit_is_seven_eighths_of_what_is_available() {
        assert_eq!(limit("plain", &[MEMORY]), 7000 * 1024);
        assert_eq!(limit("unknown", &[("proc/other", "")]), usize::MAX);
    }

    #[test]
    fn a_group_of_version_2_lowers_the_limit_and_its_page_cache_does_not_count() {
        let group = [
            MEMORY,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/memory.max", "800000\n"),
            ("sys/fs/cgroup/a/b/memory.current", "300000\n"),
            ("sys/fs/cgroup/a/b/memory.stat", "anon 100000\nactive_file 80000\ninactive_file 120000\n"),
        ];
        assert_eq!(limit("v2", &group), 700_000 / 8 * 7);
        let around = [&group[..], &[("sys/fs/cgroup/a/memory.max", "400000\n")]].concat();
        assert_eq!(limit("around", &around), 350_000);
        let without = [MEMORY, ("proc/self/cgroup", "0::/a/b\n"), ("sys/fs/cgroup/a/b/memory.max", "max\n")];
        assert_eq!(limit("no-limit", &without), 7000 * 1024);
    }

    #[test]
    fn a_group_of_version_1_counts_also_where_a_container_sees_it_as_the_root() {
        let group = [
            MEMORY,
            ("proc/self/cgroup", "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "800000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "80000\n"),
            ("sys/fs/cgroup/memory/memory.stat", "active_file 1\ntotal_active_file 40000\ntotal_inactive_file 40000\n"),
        ];
        assert_eq!(limit("v1", &group), 700_000);
    }
}
