//! Mounts on real devices: ext4 and xfs on loop devices, their users in this namespace and in others. Needs root.
//!
//! Each test has a mount namespace of its own, which is gone with its thread, and all mounts with it.

#[path = "../src/testing.rs"]
#[allow(dead_code)] // the shell's tests use the rest
mod testing;

use ha_appliance::agents::mount::{self, Answer, Found, Kind, Table, Target, Verb};
use ha_appliance::agents::program::Programs;
use ha_appliance::config::Mount;
use ha_appliance::core::event::{Event, Op, Outcome, Presence};
use ha_appliance::id::{GroupId, Place, ResourceId};
use ha_appliance::shell::mounts::Mounts;
use smol::future::FutureExt;
use smol::{LocalExecutor, Timer};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use testing::{TestDir, limit_descriptors, wait_until};

/// A device with a file system, and where it is to be mounted.
struct Disk {
    dir: TestDir,
    target: Target,
}

impl Drop for Disk {
    fn drop(&mut self) {
        // At once, or when the last mount is gone.
        let _ = Command::new("losetup")
            .args(["-d", &self.target.device])
            .status();
    }
}

/// None, and said so: this test needs root.
fn disk(kind: Kind) -> Option<Disk> {
    let loops = Path::new("/dev/loop-control").exists();
    // SAFETY: numbers; this thread alone gets another namespace.
    if !loops || unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        eprintln!("skipped: needs root, loop devices and a mount namespace");
        return None;
    }
    // Shared, as systemd has it; but with nobody outside.
    run("mount --make-rprivate /; mount --make-rshared /");
    let dir = TestDir::new();
    let image = dir.join("image");
    let size = if kind == Kind::Xfs { "300M" } else { "32M" };
    run(&format!("truncate -s {size} {}", image.display()));
    let mkfs = if kind == Kind::Xfs {
        "mkfs.xfs -q"
    } else {
        "mkfs.ext4 -q"
    };
    run(&format!(
        "PATH=$PATH:/usr/sbin:/sbin; {mkfs} {}",
        image.display()
    ));
    let device = run(&format!(
        "PATH=$PATH:/usr/sbin:/sbin; losetup --find --show {}",
        image.display()
    ));
    let target = Target {
        point: dir.join("data").display().to_string(),
        device: device.trim().into(),
        kind,
        options: "noatime".into(),
    };
    Some(Disk { dir, target })
}

/// What a shell command prints, which must succeed.
fn run(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

impl Disk {
    fn ask(&self, verb: Verb) -> Answer {
        self.ask_within(verb, Duration::from_secs(20))
    }

    fn ask_within(&self, verb: Verb, limit: Duration) -> Answer {
        let programs = Programs::here(Path::new(env!("CARGO_BIN_EXE_ha-appliance")));
        smol::block_on(mount::ask(&programs, &self.dir, verb, &self.target, limit)).unwrap()
    }

    fn started(self) -> Disk {
        assert_eq!(self.ask(Verb::Start), Answer::Done(None));
        self
    }

    fn point(&self) -> &str {
        &self.target.point
    }

    fn failed(&self, verb: Verb) -> String {
        match self.ask(verb) {
            Answer::Failed(why) => why,
            other => panic!("{verb}: {other:?}"),
        }
    }

    fn found(&self) -> Found {
        match self.ask(Verb::Look) {
            Answer::Found(found) => found,
            other => panic!("{other:?}"),
        }
    }

    /// Runs until it is killed, or this is dropped.
    fn user(&self, script: &str) -> User {
        let mark = self.dir.join("ready");
        let _ = fs::remove_file(&mark);
        let script = script
            .replace("POINT", self.point())
            .replace("READY", &format!("touch {}", mark.display()));
        let child = Command::new("sh")
            .args(["-c", &script])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let user = User(child);
        wait_until(|| mark.exists());
        user
    }
}

struct User(Child);

impl User {
    fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    fn named_in(&self, text: &str) -> bool {
        text.contains(&format!("process {} ", self.0.id()))
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn mounted_written_back_probed_and_unmounted() {
    for kind in [Kind::Ext4, Kind::Xfs] {
        if kind == Kind::Xfs && Command::new("mkfs.xfs").arg("-V").output().is_err() {
            eprintln!("skipped: xfsprogs is not installed");
            continue;
        }
        let Some(disk) = disk(kind) else { return };
        assert_eq!(disk.found(), Found::Absent);
        assert_eq!(disk.ask(Verb::Stop), Answer::Done(None), "stopped already");
        let disk = disk.started();
        assert_eq!(disk.found(), Found::Mounted);
        assert_eq!(disk.ask(Verb::Start), Answer::Done(None), "mounted already");
        let written = || disk.target.number().unwrap().written().unwrap();
        let before = written();
        fs::write(format!("{}/file", disk.point()), "1").unwrap();
        for verb in [Verb::Sync, Verb::Probe, Verb::Stop] {
            assert_eq!(disk.ask(verb), Answer::Done(None), "{kind:?} {verb}");
            assert!(written() > before, "as an unmount sees that it gets on");
        }
        assert_eq!(disk.found(), Found::Absent);
        assert_eq!(
            disk.ask(Verb::Probe),
            Answer::Done(None),
            "nothing to probe"
        );
    }
}

#[test]
fn what_cannot_be_mounted_says_why() {
    let Some(mut disk) = disk(Kind::Ext4) else {
        return;
    };
    disk.target.kind = Kind::Xfs;
    assert!(disk.failed(Verb::Start).contains("it holds no xfs"));
    disk.target.kind = Kind::Ext4;
    disk.target.options = "nonsense".into();
    assert!(disk.failed(Verb::Start).contains("`options` are wrong"));
    disk.target.options = String::new();
    // More than can be corrected without a question.
    run(&format!(
        "dd if=/dev/zero of={} bs=1k seek=1 count=4 conv=notrunc status=none",
        disk.target.device
    ));
    let why = disk.failed(Verb::Start);
    assert!(
        why.contains("fsck.ext4 -p") && why.contains("ended with"),
        "{why}"
    );
    let device = std::mem::replace(&mut disk.target.device, "/dev/none".into());
    assert!(
        disk.failed(Verb::Start)
            .contains("no block device /dev/none")
    );
    assert_eq!(disk.found(), Found::Missing);
    disk.target.device = device;
}

#[test]
fn what_the_last_owner_left_open_is_checked() {
    let Some(disk) = disk(Kind::Ext4) else { return };
    let device = &disk.target.device;
    // A count that is wrong is corrected.
    run(&format!(
        "PATH=$PATH:/usr/sbin:/sbin; debugfs -w -R 'ssv free_blocks_count 7' {device}; tune2fs -E force_fsck {device}"
    ));
    match disk.ask(Verb::Start) {
        Answer::Done(Some(more)) => assert!(more.contains("fsck.ext4 corrected it"), "{more}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(disk.found(), Found::Mounted);
}

#[test]
fn what_is_somebody_elses_is_left_alone() {
    let Some(disk) = disk(Kind::Ext4) else { return };
    let (point, device) = (disk.point(), &disk.target.device);
    let other = disk.dir.join("other");
    fs::create_dir_all(&other).unwrap();
    let other = other.display();
    run(&format!("mkdir {point}; mount -t tmpfs none {point}"));
    assert_eq!(disk.found(), Found::Absent);
    assert_eq!(disk.ask(Verb::Stop), Answer::Done(None));
    assert!(disk.failed(Verb::Start).contains("is mounted at"));
    run(&format!(
        "mountpoint -q {point} && umount {point} && mount {device} {other}"
    ));
    assert!(
        matches!(disk.found(), Found::Elsewhere(who) if who.contains("mounted at") && who.contains("/other"))
    );
    assert!(disk.failed(Verb::Start).contains("unmount it there"));
    assert!(disk.failed(Verb::Stop).contains("still in use: mounted at"));
    run(&format!("umount {other}"));
    let disk = disk.started();
    run(&format!("mount -t tmpfs none {}", disk.point()));
    assert!(disk.failed(Verb::Stop).contains("is mounted over"));
}

#[test]
fn its_users_end_and_nobody_elses() {
    let Some(disk) = disk(Kind::Ext4) else { return };
    let disk = disk.started();
    let other = disk.dir.join("data-too");
    fs::create_dir_all(&other).unwrap();
    let point = disk.point();
    run(&format!(
        "touch {point}/file; cp /bin/sleep {point}/program"
    ));
    // In a directory of nearly the same name; on the root file system; with the program of it that is elsewhere.
    let mut beside = disk.user(&format!("cd {}; READY; exec sleep 60", other.display()));
    let mut by_directory = disk.user("cd POINT; READY; exec sleep 60");
    let mut by_file = disk.user("exec 7<POINT/file; READY; exec sleep 60");
    let mut by_program = disk.user("READY; exec POINT/program 60");
    let mut deaf = disk.user("trap '' TERM; cd POINT; READY; while :; do sleep 1; done");
    let begun = Instant::now();
    let more = match disk.ask(Verb::Stop) {
        Answer::Done(Some(more)) => more,
        other => panic!("{other:?}"),
    };
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    for user in [&mut by_directory, &mut by_file, &mut by_program, &mut deaf] {
        assert!(!user.lives() && user.named_in(&more), "{more}");
    }
    assert!(more.contains("SIGKILL"), "{more}");
    assert!(beside.lives() && !beside.named_in(&more));
    assert_eq!(disk.found(), Found::Absent);
}

/// As a service with PrivateTmp has it: what is unmounted here is unmounted there.
#[test]
fn a_user_in_a_namespace_of_its_own_ends_too() {
    let Some(disk) = disk(Kind::Ext4) else { return };
    let disk = disk.started();
    run(&format!("touch {}/file", disk.point()));
    let mut user = disk.user(
        "exec unshare -m --propagation slave sh -c 'exec 7<POINT/file; READY; exec sleep 60'",
    );
    let mut idle = disk.user("exec unshare -m --propagation slave sh -c 'READY; exec sleep 60'");
    assert!(matches!(disk.ask(Verb::Stop), Answer::Done(Some(more)) if user.named_in(&more)));
    assert!(!user.lives() && idle.lives());
    assert_eq!(disk.found(), Found::Absent);
}

/// As a container has it: the file system lives on there, and nobody can say that it is stopped.
#[test]
fn a_copy_that_outlives_the_unmount_is_named() {
    let Some(disk) = disk(Kind::Ext4) else { return };
    let disk = disk.started();
    let mut holder =
        disk.user("exec unshare -m --propagation private sh -c 'READY; exec sleep 60'");
    let why = disk.failed(Verb::Stop);
    assert!(
        why.contains("in the mount namespace of") && holder.named_in(&why),
        "{why}"
    );
    assert!(holder.lives(), "it is not ours to end");
    assert!(matches!(disk.found(), Found::Elsewhere(_)));
    assert_eq!(
        disk.ask(Verb::Start),
        Answer::Done(None),
        "it may run here again"
    );
    assert_eq!(disk.found(), Found::Mounted);
    drop(holder);
    assert_eq!(disk.ask(Verb::Stop), Answer::Done(None));
}

#[test]
fn users_that_are_no_processes_are_named() {
    let Some(disk) = disk(Kind::Ext4) else { return };
    let disk = disk.started();
    let point = disk.point();
    run(&format!(
        "truncate -s 1M {point}/image; mkdir {point}/below; mount -t tmpfs none {point}/below"
    ));
    let device = run(&format!(
        "PATH=$PATH:/usr/sbin:/sbin; losetup --find --show {point}/image"
    ));
    let device = device.trim();
    let why = disk.failed(Verb::Stop);
    assert!(why.contains(&format!("{device} is {point}/image")), "{why}");
    assert!(
        why.contains(&format!("{point}/below is mounted below it")),
        "{why}"
    );
    run(&format!(
        "umount {point}/below; PATH=$PATH:/usr/sbin:/sbin; losetup -d {device}"
    ));
    assert_eq!(disk.ask(Verb::Stop), Answer::Done(None));
}

#[test]
fn a_file_system_with_an_error_shows_in_the_table() {
    let Some(disk) = disk(Kind::Ext4) else { return };
    let disk = disk.started();
    let point = disk.point();
    let sign = || {
        let table = Table::of("thread-self").unwrap();
        let entry = table.at(point).expect("it is mounted");
        entry.unwritable().map(str::to_owned)
    };
    assert_eq!(sign(), None);
    // What an I/O error does to it.
    let _ = Command::new("mount")
        .args(["-o", "remount,abort", point])
        .status();
    let _ = fs::write(format!("{point}/file"), "x");
    assert!(
        sign().is_some(),
        "{:?}",
        Table::of("thread-self").unwrap().at(point)
    );
    assert!(disk.failed(Verb::Start).contains("cannot be written to"));
    assert!(matches!(disk.ask(Verb::Stop), Answer::Done(_)));
}

/// A helper that was given up may still mount: until it is gone nobody says that nothing is mounted.
#[test]
fn while_an_earlier_operation_hangs_nothing_is_known_to_be_stopped() {
    let Some(disk) = disk(Kind::Ext4) else { return };
    let short = Duration::from_millis(1500);
    assert_eq!(disk.found(), Found::Absent);
    let lock = fs::read_dir(disk.dir.join("mounts")).unwrap();
    let lock = lock.map(|entry| entry.unwrap().path());
    let lock = lock
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "lock"))
        .unwrap();
    let mut hung = Command::new("flock")
        .arg(&lock)
        .args(["sleep", "60"])
        .spawn()
        .unwrap();
    wait_until(|| {
        !Command::new("flock")
            .arg("-n")
            .arg(&lock)
            .arg("true")
            .status()
            .unwrap()
            .success()
    });
    for verb in [Verb::Look, Verb::Stop] {
        assert!(
            matches!(disk.ask_within(verb, short), Answer::Failed(why) if why.contains("still hangs")),
            "{verb}"
        );
    }
    run(&format!("pkill -P {}", hung.id()));
    hung.wait().unwrap();
    assert_eq!(disk.found(), Found::Absent);
}

/// A checker that is missing, may not be run, is killed, or cannot have the device or memory: it has found nothing. Nor
/// is a name that is away a disk that is.
#[test]
fn a_checker_that_could_not_check_has_found_nothing() {
    let Some(mut disk) = disk(Kind::Ext4) else {
        return;
    };
    let script = disk.dir.join("checker");
    let (at, checker) = (script.display(), "/usr/sbin/fsck.ext4");
    run(&format!(
        "touch {at}; chmod 755 {at}; mount --bind {at} {checker}"
    ));
    let unasked = |disk: &Disk, verb: Verb| {
        let programs = Programs::here(Path::new(env!("CARGO_BIN_EXE_ha-appliance")));
        let limit = Duration::from_secs(3);
        let asked = mount::ask(&programs, &disk.dir, verb, &disk.target, limit);
        smol::block_on(asked).unwrap_err().to_string()
    };
    for (lines, says) in [
        ("kill -9 $$", "was killed"),
        ("kill -SEGV $$", "was killed"),
        ("echo /dev/x is in use.; exit 8", "is in use"),
        ("echo Cannot allocate memory; exit 8", "memory"),
        ("exit 32", "ended with 32"),
        ("exit 127", "ended with 127"),
    ] {
        fs::write(&script, format!("#!/bin/sh\n{lines}\n")).unwrap();
        let why = unasked(&disk, Verb::Start);
        assert!(why.contains(says), "{lines}: {why}");
    }
    assert!(unasked(&disk, Verb::Probe).contains("fsck.ext4 -V"));
    run(&format!("chmod -x {at}"));
    let why = unasked(&disk, Verb::Start);
    assert!(why.contains("fsck.ext4 cannot be run"), "{why}");
    run(&format!("umount {checker}"));
    assert_eq!(disk.ask(Verb::Probe), Answer::Done(None));
    // By a name that udev makes.
    let name = disk.dir.join("by-id");
    let device = disk.target.device.clone();
    std::os::unix::fs::symlink(&device, &name).unwrap();
    disk.target.device = name.display().to_string();
    let mut disk = disk.started();
    fs::remove_file(&name).unwrap();
    assert!(unasked(&disk, Verb::Probe).contains("by-id"));
    std::os::unix::fs::symlink(&device, &name).unwrap();
    assert_eq!(disk.ask(Verb::Probe), Answer::Done(None));
    assert_eq!(disk.ask(Verb::Stop), Answer::Done(None));
    disk.target.device = device;
}

/// A tool that looks at a device has it for itself for a moment.
#[test]
fn a_device_that_is_busy_for_a_moment_is_mounted_after_it() {
    let Some(disk) = disk(Kind::Xfs) else {
        return;
    };
    if Command::new("mkfs.xfs").arg("-V").output().is_err() {
        return;
    }
    let device = disk.target.device.clone();
    let held = fs::File::options()
        .read(true)
        .custom_flags(libc::O_EXCL)
        .open(&device)
        .unwrap();
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(900));
        drop(held);
    });
    assert_eq!(disk.ask(Verb::Start), Answer::Done(None));
    release.join().unwrap();
    assert_eq!(disk.ask(Verb::Stop), Answer::Done(None));
}

/// A daemon without a descriptor sees no table, and has no helper: that is no word about what is mounted.
#[test]
fn who_sees_no_table_has_lost_no_mount() {
    let told = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_without_descriptors", "--ignored"])
        .args(["--test-threads=1", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{said}");
}

/// Alone in its process, whose limits it changes.
#[test]
#[ignore = "helper of who_sees_no_table_has_lost_no_mount"]
fn child_without_descriptors() {
    let Some(disk) = disk(Kind::Ext4) else {
        return;
    };
    let disk = disk.started();
    let executor = Rc::new(LocalExecutor::new());
    let events = Rc::<RefCell<VecDeque<Event>>>::default();
    let next = |within: Duration| {
        let event = async {
            loop {
                if let Some(event) = events.borrow_mut().pop_front() {
                    return Some(event);
                }
                Timer::after(Duration::from_millis(10)).await;
            }
        };
        let late = async {
            Timer::after(within).await;
            None
        };
        smol::block_on(executor.run(event.or(late)))
    };
    let programs = Programs::here(Path::new(env!("CARGO_BIN_EXE_ha-appliance")));
    let mut mounts = {
        let (executor, events) = (executor.clone(), events.clone());
        Mounts::new(executor, events, programs, &disk.dir, Default::default())
    };
    let place = Place {
        group: GroupId(1),
        resource: ResourceId(1),
    };
    let mount = Mount {
        target: disk.target.clone(),
        start_timeout: Duration::from_secs(2),
        stop_timeout: Duration::from_secs(2),
    };
    mounts.replace(vec![(place, mount)]);
    let long = Duration::from_secs(10);
    mounts.look(place);
    let found = Event::Finished {
        op: Op::Resource(place),
        outcome: Outcome::Found(Presence::Running),
    };
    assert_eq!(next(long), Some(found));
    limit_descriptors(0);
    assert_eq!(next(Duration::from_millis(2500)), None);
    // What cannot be done in time is done later.
    mounts.stop(place);
    let Some(Event::Finished { outcome, .. }) = next(long) else {
        panic!("the stop does not end")
    };
    let Outcome::Failed(why) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        why.ends_with("it is unmounted as soon as that can be"),
        "{why}"
    );
    limit_descriptors(1024);
    assert_eq!(next(Duration::from_secs(4)), None);
    assert_eq!(disk.found(), Found::Absent);
    // And counts against nobody.
    limit_descriptors(0);
    mounts.start(place);
    let Some(Event::Finished { outcome, .. }) = next(long) else {
        panic!("the start does not end")
    };
    assert!(matches!(outcome, Outcome::Unasked(_)), "{outcome:?}");
    limit_descriptors(1024);
    let unready = None;
    assert_eq!(next(long), Some(Event::Ready { place, unready }));
}
