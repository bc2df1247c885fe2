//! The tests of tests/systemd, which make units and restart systemd itself, on a machine.

use crate::ensure;
use crate::lab::Outcome;
use crate::net::Host;
use crate::node::Node;
use crate::pair::Pair;
use crate::scenario::{Run::Machines, Scenario};
use crate::topology::NGINX;

pub const ALL: &[Scenario] = &[Scenario {
    name: "agents-on-systemd",
    shows: "services on a real systemd: every type, every way to fail, whatever others do meanwhile",
    run: Machines(&NGINX, on_systemd),
    limit: (120, 700),
}];

/// These wait for what must not happen, or repeat, for most of the time that all take together: only
/// in the long run.
const SLOW: &[&str] = &[
    "a_check_may_fail_until_a_fresh_start_has_come_up",
    "a_failing_check_is_a_loss_and_its_cure_a_restart",
    "a_oneshot_that_is_stopped_by_hand_is_not_lost",
    "an_upgrade_of_its_package_is_no_failure",
    "a_killed_service_is_lost_at_once_and_only_once",
    "a_socket_works_where_its_service_runs_and_nowhere_else",
    "a_start_that_hangs_is_taken_back",
    "a_useless_systemctl_is_waited_out",
    "every_type_starts_is_found_and_stops",
    "how_long_nginx_takes",
    "leaving_stops_services_from_within_our_own_stop",
    "one_that_stays_useless_ends_each_operation_once_and_in_time",
    "nginx_may_replace_its_own_binary",
    "systemd_restarting_itself_is_no_death",
    "what_an_operator_does_is_no_failure_if_it_ends_well",
    "what_cannot_start_says_why",
    "whoever_does_not_stop_is_killed",
];

fn on_systemd(pair: &mut Pair) -> Outcome {
    let tests = std::env::var("HA_LAB_SYSTEMD_TESTS")
        .map_err(|_| "HA_LAB_SYSTEMD_TESTS is not set: start the lab by scripts/lab")?;
    let program = "/usr/local/bin/systemd-tests";
    pair.node(Host::A).write(program, std::fs::read(&tests)?)?;
    let appliance = "/usr/local/sbin/ha-appliance";
    pair.node(Host::A)
        .write(appliance, std::fs::read(Node::program())?)?;
    let slow = if pair.record.long { &[] } else { SLOW };
    let skipped: String = slow.iter().map(|name| format!(" --skip {name}")).collect();
    let line =
        format!("chmod 755 {program} {appliance}; {program} --ignored --test-threads=1{skipped}");
    pair.note(line.clone());
    let output = pair.node(Host::A).try_run(&line)?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}");
    let count = said
        .lines()
        .filter(|line| line.ends_with(" ... ok"))
        .count();
    ensure!(count > 0, "it ran no test: {said}");
    pair.note(format!("{count} tests passed"));
    Ok(())
}
