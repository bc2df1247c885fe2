//! The options of a fence agent: what can be wrong with them, and how it is told them.
//!
//! An agent only warns of an option that it does not know and goes on without it, reboots the machine where
//! no action is named, and drops spaces and quotes around a value (fence-agents 4.12, `fencing.py`). So
//! everything is held against its [`Metadata`] before it is ever run.

use super::metadata::{Kind, Metadata, Parameter};

/// Name and value, in the order of the file.
pub type Options = Vec<(String, String)>;

/// What speaks against using this agent with these options, each in a sentence; none: nothing that can be
/// known before it is run. No value is repeated: it may be a password.
pub fn problems(metadata: &Metadata, options: &Options) -> Vec<String> {
    let mut problems: Vec<String> = missing_action(metadata).into_iter().collect();
    for (name, value) in options {
        let known = metadata.parameter(name);
        let problem = ours(name).map(|why| format!("option {name} is not for the file: {why}"));
        let problem = problem
            .or_else(|| match known {
                None => Some(unknown(metadata, name)),
                Some(parameter) => wrong(parameter, value),
            })
            .or_else(|| lost(value).map(|why| format!("the value of option {name} {why}")));
        problems.extend(problem);
    }
    let given = |p: &Parameter| options.iter().any(|(name, _)| spelled(name) == p.name);
    for parameter in &metadata.parameters {
        let older = |p: &Parameter| parameter.obsoletes.as_ref() == Some(&p.name);
        let newer = |p: &Parameter| p.obsoletes.as_ref() == Some(&parameter.name);
        let mut same = metadata.parameters.iter().filter(|p| older(p) || newer(p));
        let is_old = metadata.parameters.iter().any(newer);
        let free = !parameter.required || parameter.has_default || is_old;
        if !free && ours(&parameter.name).is_none() && !given(parameter) && !same.any(given) {
            problems.push(format!("option {} is missing", parameter.name));
        }
    }
    for (at, (name, _)) in options.iter().enumerate() {
        let before = &options[..at];
        if before
            .iter()
            .any(|(known, _)| spelled(known) == spelled(name))
        {
            problems.push(format!("option {name} is there twice"));
        }
    }
    problems
}

/// What the agent reads from its stdin: the action once, and last, so that nothing before it counts as one.
pub fn input(options: &Options, action: &str) -> Vec<u8> {
    let mut lines = String::new();
    for (name, value) in options {
        lines += &format!("{name}={value}\n");
    }
    lines += &format!("action={action}\n");
    lines.into_bytes()
}

/// What is asked of an agent, and what tells that its `off` is an end of power.
fn missing_action(metadata: &Metadata) -> Option<String> {
    let needed = ["off", "on", "status", "monitor"];
    let missing: Vec<&str> = (needed.into_iter().filter(|action| !metadata.does(action))).collect();
    match (&missing[..], metadata.does("reboot")) {
        ([], true) => None,
        ([], false) => Some(
            "it cannot reboot a machine, so its `off` cuts something else (a network, a disk) while the machine lives on: use an agent that switches the power".into(),
        ),
        (missing, _) => Some(format!("it has no action {}", missing.join(", "))),
    }
}

/// Why an option is not to be set.
fn ours(name: &str) -> Option<&'static str> {
    Some(match spelled(name).as_str() {
        "action" | "option" => "what is to be done is decided when it is done",
        "delay" => "who waits for whom is decided before the agent is run: see [fencing]",
        "method" => {
            "`cycle` ends before the machine is off, and off and on are asked for one by one"
        }
        "missing_as_off" => "a machine that the device does not know is not off",
        "quiet" => "what it says is the reason that is shown",
        "verbose" | "verbose_level" | "debug" | "debug_file" => {
            "it writes passwords where others read them; run the agent by hand for that"
        }
        "version" | "help" => "with it the agent does nothing and says that all is well",
        _ => return None,
    })
}

fn unknown(metadata: &Metadata, name: &str) -> String {
    let names: Vec<&str> = (metadata.parameters.iter())
        .map(|p| p.name.as_str())
        .filter(|name| ours(name).is_none())
        .collect();
    format!("it knows no option {name}; it knows {}", names.join(", "))
}

fn wrong(parameter: &Parameter, value: &str) -> Option<String> {
    let name = &parameter.name;
    let choices = &parameter.choices;
    if !choices.is_empty() && !choices.iter().any(|choice| choice == value) {
        return Some(format!("option {name} is one of {}", choices.join(", ")));
    }
    let value = value.to_lowercase();
    match parameter.kind {
        Kind::Number if value.parse::<f64>().is_err() => Some(format!("option {name} is a number")),
        Kind::Switch if !SWITCH.contains(&value.as_str()) => {
            Some(format!("option {name} is yes or no"))
        }
        _ => None,
    }
}

/// What `fencing.py` takes for yes or no.
const SWITCH: [&str; 8] = ["1", "yes", "on", "true", "0", "no", "off", "false"];

/// What of a value would not reach the agent, or would be another option there.
fn lost(value: &str) -> Option<&'static str> {
    let quoted = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
    if value.contains(['\n', '\r', '\0']) {
        Some("has more than one line: what follows would be options of their own")
    } else if value.trim() != value {
        Some("begins or ends with a space, which agents cut off")
    } else if quoted {
        Some("stands in quotes, which agents cut off")
    } else {
        None
    }
}

fn spelled(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str) -> Parameter {
        Parameter {
            name: name.into(),
            required: false,
            has_default: false,
            obsoletes: None,
            choices: vec![],
            kind: Kind::Text,
        }
    }

    fn agent() -> Metadata {
        let required = |name| Parameter {
            required: true,
            ..parameter(name)
        };
        Metadata {
            parameters: vec![
                Parameter {
                    has_default: true,
                    ..required("action")
                },
                required("ipaddr"),
                Parameter {
                    obsoletes: Some("ipaddr".into()),
                    ..required("ip")
                },
                parameter("password"),
                Parameter {
                    kind: Kind::Number,
                    ..parameter("login_timeout")
                },
                Parameter {
                    kind: Kind::Switch,
                    ..parameter("lanplus")
                },
                Parameter {
                    choices: vec!["user".into(), "operator".into()],
                    ..parameter("privlvl")
                },
                parameter("method"),
                parameter("missing_as_off"),
            ],
            actions: (["on", "off", "reboot", "status", "monitor"].map(String::from)).to_vec(),
        }
    }

    fn said(options: &[(&str, &str)]) -> Vec<String> {
        let options = options.iter().map(|(n, v)| (n.to_string(), v.to_string()));
        problems(&agent(), &options.collect())
    }

    #[test]
    fn good_options_are_good_by_either_name() {
        assert_eq!(said(&[("ip", "10.1.1.1"), ("lanplus", "yes")]), [""; 0]);
        assert_eq!(
            said(&[("ipaddr", "10.1.1.1"), ("login-timeout", "9")]),
            [""; 0]
        );
        assert_eq!(said(&[("ip", "a"), ("password", "'\"$# \\=x")]), [""; 0]);
    }

    #[test]
    fn each_mistake_has_its_own_words() {
        let ip = ("ip", "10.1.1.1");
        assert_eq!(said(&[]), ["option ip is missing"]);
        assert_eq!(
            said(&[ip, ("pasword", "x")]),
            [
                "it knows no option pasword; it knows ipaddr, ip, password, login_timeout, lanplus, privlvl"
            ]
        );
        assert_eq!(
            said(&[ip, ("login_timeout", "5s")]),
            ["option login_timeout is a number"]
        );
        assert_eq!(
            said(&[ip, ("lanplus", "")]),
            ["option lanplus is yes or no"]
        );
        assert_eq!(
            said(&[ip, ("privlvl", "root")]),
            ["option privlvl is one of user, operator"]
        );
        assert_eq!(
            said(&[ip, ("login_timeout", "1"), ("login-timeout", "2")]),
            ["option login-timeout is there twice"]
        );
    }

    #[test]
    fn what_would_change_the_action_or_make_unknown_off_is_refused() {
        for name in [
            "action",
            "option",
            "delay",
            "method",
            "missing-as-off",
            "version",
            "verbose",
        ] {
            let said = said(&[("ip", "10.1.1.1"), (name, "1")]);
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(
                said[0].starts_with(&format!("option {name} is not for the file: ")),
                "{said:?}"
            );
        }
    }

    #[test]
    fn what_would_not_arrive_as_it_is_is_refused_without_repeating_it() {
        for secret in ["s3cret\naction=on", " s3cret", "\"s3cret\""] {
            let said = said(&[("ip", "10.1.1.1"), ("password", secret)]);
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(
                said[0].starts_with("the value of option password "),
                "{said:?}"
            );
            assert!(!said[0].contains("s3cret"), "{said:?}");
        }
    }

    #[test]
    fn an_agent_that_cuts_no_power_is_refused() {
        let mut fabric = agent();
        fabric.actions.retain(|action| action != "reboot");
        let options = vec![("ip".into(), "10.1.1.1".into())];
        assert!(
            problems(&fabric, &options)[0].starts_with("it cannot reboot a machine, so its `off`")
        );
        fabric.actions = vec!["off".into(), "reboot".into()];
        assert_eq!(
            problems(&fabric, &options),
            ["it has no action on, status, monitor"]
        );
    }

    #[test]
    fn the_action_is_told_once_and_last() {
        let options = vec![
            ("ip".into(), "a=b".into()),
            ("password".into(), "#x".into()),
        ];
        let told = String::from_utf8(input(&options, "status")).expect("it is text");
        assert_eq!(told, "ip=a=b\npassword=#x\naction=status\n");
    }
}
