//! Case C: two Apache servers, the first preferred, with config/apache-preferred.toml as it is
//! shipped. Apache listens on the VIP alone, so it can only be started after it.

use crate::client::Client;
use crate::lab::Outcome;
use crate::net::{Host, NODES};
use crate::pair::{PLANNED, Pair};
use crate::scenario::{Run::Machines, Scenario};
use crate::sys::now;
use crate::topology::APACHE;
use std::time::Duration;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "apache-preferred",
        shows: "node1 is preferred: the group returns to it by itself after a power cut",
        run: Machines(&APACHE, preferred),
        limit: (90, 90),
    },
    Scenario {
        name: "apache-stop-on-node1",
        shows: "the appliance stopped on node1 moves all to node2; started again, all returns",
        run: Machines(&APACHE, stop_on_node1),
        limit: (90, 90),
    },
    Scenario {
        name: "apache-php",
        shows: "Apache and PHP-FPM in one group: restarted each for itself, moved together",
        run: Machines(&APACHE, php),
        limit: (90, 90),
    },
    Scenario {
        name: "apache-late-interface",
        shows: "both boot, and the interface comes up 10 s later: the group waits for it",
        run: Machines(&APACHE, late_interface),
        limit: (120, 120),
    },
];

const UNIT: &str = "apache2.service";
const PHP: &str = "php8.2-fpm.service";

fn prepare(pair: &mut Pair, edits: &[(&str, &str)]) -> Outcome {
    pair.install("config/apache-preferred.toml", edits)?;
    pair.write_pages()?;
    for host in NODES {
        let listen = "Listen 10.81.40.199:80\nListen 127.0.0.1:80\n";
        pair.node(host).write("/etc/apache2/ports.conf", listen)?;
    }
    pair.only_one_runs(UNIT);
    Ok(())
}

fn serving(pair: &mut Pair) -> Outcome<Client> {
    prepare(pair, &[])?;
    pair.on_both("systemctl --quiet enable --now ha-appliance")?;
    let browser = pair.browser()?;
    back_on_node1(pair)?;
    Ok(browser)
}

/// Wherever it was started first, it ends where it is preferred.
fn back_on_node1(pair: &mut Pair) -> Outcome {
    pair.both_alive()?;
    let browser = pair.browser()?;
    browser.answered(Some(Host::A), Duration::from_secs(30))?;
    pair.runs_only_on(Host::A, UNIT)?;
    pair.nothing_moves(Host::A, Duration::from_secs(1))
}

fn preferred(pair: &mut Pair) -> Outcome {
    let browser = serving(pair)?;
    let from = pair.power_cut(Host::A)?;
    // 2 s of detection, since the LAN is the only path.
    pair.moved(&browser, Host::B, from, Duration::from_secs(6))?;
    let back = now();
    pair.power_on(Host::A)?;
    back_on_node1(pair)?;
    pair.moved(&browser, Host::A, back, PLANNED)
}

fn stop_on_node1(pair: &mut Pair) -> Outcome {
    let browser = serving(pair)?;
    let from = now();
    pair.on(Host::A, "systemctl stop ha-appliance")?;
    pair.moved(&browser, Host::B, from, PLANNED)?;
    pair.runs_only_on(Host::B, UNIT)?;
    let back = now();
    pair.on(Host::A, "systemctl start ha-appliance")?;
    back_on_node1(pair)?;
    pair.moved(&browser, Host::A, back, PLANNED)
}

fn php(pair: &mut Pair) -> Outcome {
    let service = "service = \"apache2.service\"";
    let both = format!("service = \"{PHP}\"\n\n[[group.resource]]\n{service}");
    prepare(pair, &[(service, &both)])?;
    for host in NODES {
        pair.on(host, "a2enmod --quiet proxy_fcgi setenvif")?;
        pair.on(host, "a2enconf --quiet php8.2-fpm")?;
        let page = "<?php echo gethostname(), \"\\n\";";
        pair.node(host).write("/var/www/html/test.php", page)?;
    }
    pair.only_one_runs(PHP);
    pair.on_both("systemctl --quiet enable --now ha-appliance")?;
    back_on_node1(pair)?;
    let browser = Client::browse(&pair.net, "/test.php", Duration::from_millis(5))?;
    browser.answered(Some(Host::A), Duration::from_secs(5))?;
    let apache = pair.node(Host::A).main_pid(UNIT)?;
    let from = pair.kill(Host::A, PHP)?;
    pair.moved(&browser, Host::A, from, PLANNED)?;
    crate::ensure!(
        pair.node(Host::A).main_pid(UNIT)? == apache,
        "Apache was restarted as well"
    );
    let from = now();
    pair.on(Host::A, "ha-appliance failover")?;
    pair.moved(&browser, Host::B, from, PLANNED)?;
    for unit in [PHP, UNIT] {
        pair.runs_only_on(Host::B, unit)?;
    }
    Ok(())
}

fn late_interface(pair: &mut Pair) -> Outcome {
    let browser = serving(pair)?;
    for host in NODES {
        pair.power_cut(host)?;
    }
    for host in NODES {
        pair.power_on_without_network(host)?;
    }
    std::thread::sleep(Duration::from_secs(10));
    let up = now();
    for host in NODES {
        pair.net.address(host, APACHE.wires())?;
        pair.note(format!("the interface of {} comes up", pair.net.name(host)));
    }
    back_on_node1(pair)?;
    let (served, _) = browser.first_answer(up, None).ok_or("no page")?;
    let after = Duration::from_micros(served - up);
    pair.record.figure("served after", after);
    Ok(())
}
