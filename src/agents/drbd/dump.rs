//! DRBD's configuration, as `drbdadm dump-xml` prints it: of all resources, since what several have in common stands
//! in `<common>` alone.

use roxmltree::{Document, Node};
use std::collections::BTreeMap;

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    /// Every resource.
    pub resources: Vec<Resource>,
}

/// One resource, with what it inherits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// Where it stands: file and line.
    pub place: String,
    /// Each host, by its name.
    pub hosts: Vec<Host>,
    /// The last value of each option, by section and name: its own before the common ones. An option that a
    /// connection or a volume sets apart counts too.
    options: BTreeMap<(String, String), String>,
}

/// One side of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// As `uname -n` says it there.
    pub name: String,
    /// Its volumes.
    pub volumes: Vec<Volume>,
}

/// One disk of a side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Its number.
    pub number: u32,
    /// The device that is made of it: "/dev/drbd1".
    pub device: String,
    /// What it is made on.
    pub disk: String,
}

impl Dump {
    /// Reads it; an error is what is wrong with the text.
    pub fn read(text: &str) -> Result<Dump, String> {
        let start = text.find("<config").ok_or("drbdadm prints no XML")?;
        let document = Document::parse(&text[start..]);
        let document = document.map_err(|e| format!("drbdadm's XML is broken: {e}"))?;
        let root = document.root_element();
        let common = root.children().find(|node| node.has_tag_name("common"));
        let resources = root.children().filter(|node| node.has_tag_name("resource"));
        Ok(Dump {
            resources: resources.map(|node| resource(node, common)).collect(),
        })
    }

    /// The resource of that name.
    pub fn resource(&self, name: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.name == name)
    }
}

impl Resource {
    /// What is set in that section; None: DRBD's default.
    pub fn option(&self, section: &str, name: &str) -> Option<&str> {
        let key = (section.to_owned(), name.to_owned());
        self.options.get(&key).map(String::as_str)
    }

    /// Its side on that host.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }
}

fn resource(node: Node, common: Option<Node>) -> Resource {
    let mut options = BTreeMap::new();
    common
        .into_iter()
        .for_each(|common| collect(common, &mut options));
    collect(node, &mut options);
    let hosts = node.children().filter(|child| child.has_tag_name("host"));
    Resource {
        name: attribute(node, "name"),
        place: attribute(node, "conf-file-line"),
        hosts: hosts.map(host).collect(),
        options,
    }
}

/// A section at any depth: a connection's, a volume's, a host's.
fn collect(node: Node, options: &mut BTreeMap<(String, String), String>) {
    let sections = node
        .descendants()
        .filter(|node| node.has_tag_name("section"));
    for section in sections {
        let name = attribute(section, "name");
        for option in section
            .children()
            .filter(|node| node.has_tag_name("option"))
        {
            // A switch without a value is on.
            let value = option.attribute("value").unwrap_or("yes");
            options.insert((name.clone(), attribute(option, "name")), value.to_owned());
        }
    }
}

fn host(node: Node) -> Host {
    let volumes = node.children().filter(|child| child.has_tag_name("volume"));
    Host {
        name: attribute(node, "name"),
        volumes: volumes.map(volume).collect(),
    }
}

fn volume(node: Node) -> Volume {
    let child = |name: &str| node.children().find(|child| child.has_tag_name(name));
    let text = |name: &str| {
        child(name)
            .and_then(|node| node.text())
            .unwrap_or_default()
            .trim()
    };
    // By its number alone, it has the usual name.
    let minor = child("device")
        .and_then(|node| node.attribute("minor"))
        .unwrap_or("0");
    let device = match text("device") {
        "" => format!("/dev/drbd{minor}"),
        device => device.to_owned(),
    };
    Volume {
        number: attribute(node, "vnr").parse().unwrap_or_default(),
        device,
        disk: text("disk").to_owned(),
    }
}

fn attribute(node: Node, name: &str) -> String {
    node.attribute(name).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_8_4_prints_is_read() {
        let dump = Dump::read(include_str!("fixtures/good84.xml")).unwrap();
        let r0 = dump.resource("r0").unwrap();
        assert_eq!(r0.place, "/etc/drbd.d/good84.conf:6");
        assert_eq!(r0.option("disk", "fencing"), Some("resource-and-stonith"));
        assert_eq!(r0.option("net", "protocol"), Some("C"), "inherited");
        assert_eq!(r0.option("net", "fencing"), None);
        let lb2 = Volume {
            number: 0,
            device: "/dev/drbd1".into(),
            disk: "/dev/disk/by-id/b".into(),
        };
        assert_eq!(r0.host("lb2").unwrap().volumes, [lb2]);
        assert!(dump.resource("r1").is_none());
    }

    #[test]
    fn what_9_prints_is_read() {
        let dump = Dump::read(include_str!("fixtures/good9.xml")).unwrap();
        let r0 = dump.resource("r0").unwrap();
        assert_eq!(r0.option("options", "auto-promote"), Some("no"));
        let devices = r0.host("lb1").unwrap().volumes.iter();
        let devices: Vec<&str> = devices.map(|volume| volume.device.as_str()).collect();
        assert_eq!(devices, ["/dev/drbd1", "/dev/drbd2"], "by their numbers");
    }

    #[test]
    fn what_is_said_before_the_xml_is_no_part_of_it() {
        let text = format!(
            "sh: modinfo: not found\n{}",
            include_str!("fixtures/bad84.xml")
        );
        assert_eq!(Dump::read(&text).unwrap().resources.len(), 1);
        assert!(Dump::read("r0.res:6: in resource r0:\n").is_err());
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text: String) {
            let _ = Dump::read(&format!("<config>{text}</config>"));
        }
    }
}
