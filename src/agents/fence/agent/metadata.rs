//! What a fence agent says that it can: the XML that its action `metadata` prints.

use roxmltree::{Document, Node};

/// What an agent takes and does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The options it knows.
    pub parameters: Vec<Parameter>,
    /// The actions it knows.
    pub actions: Vec<String>,
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, with `_` between words.
    pub name: String,
    /// It must be given, unless an older name of it is.
    pub required: bool,
    /// It has a default.
    pub has_default: bool,
    /// An older name of the same, which is another option of the list.
    pub obsoletes: Option<String>,
    /// The only values it takes; none: any.
    pub choices: Vec<String>,
    /// What its values are.
    pub kind: Kind,
}

/// What the values of an option are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A number.
    Number,
    /// Yes or no.
    Switch,
}

impl Metadata {
    /// Reads it; an error is what is wrong with the text.
    pub fn read(text: &str) -> Result<Metadata, String> {
        // Some agents warn of their interpreter first.
        let start = text.find("<?xml").or_else(|| text.find("<resource-agent"));
        let text = &text[start.ok_or("it prints no XML")?..];
        let document = Document::parse(text).map_err(|e| format!("its XML is broken: {e}"))?;
        let root = document.root_element();
        if !root.has_tag_name("resource-agent") {
            let name = root.tag_name().name();
            return Err(format!("its XML describes no agent but <{name}>"));
        }
        Ok(Metadata {
            parameters: named(root, "parameter").map(parameter).collect(),
            actions: (named(root, "action"))
                .map(|(name, _)| name.to_string())
                .collect(),
        })
    }

    /// The option of that name, whichever way its words are joined.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        let name = name.replace('-', "_");
        self.parameters.iter().find(|p| p.name == name)
    }

    /// It does that.
    pub fn does(&self, action: &str) -> bool {
        self.actions.iter().any(|known| known == action)
    }
}

/// Elements of that kind that have a name, with it.
fn named<'a>(root: Node<'a, 'a>, kind: &'a str) -> impl Iterator<Item = (&'a str, Node<'a, 'a>)> {
    let elements = root
        .descendants()
        .filter(move |node| node.has_tag_name(kind));
    elements.filter_map(|node| Some((node.attribute("name")?, node)))
}

fn parameter((name, node): (&str, Node)) -> Parameter {
    let content = node.children().find(|child| child.has_tag_name("content"));
    let content = |attribute| content.and_then(|content| content.attribute(attribute));
    let options = node.descendants().filter(|n| n.has_tag_name("option"));
    let choices = options.filter_map(|n| n.attribute("value").map(Into::into));
    Parameter {
        name: name.replace('-', "_"),
        required: node.attribute("required") == Some("1"),
        has_default: content("default").is_some_and(|default| !default.is_empty()),
        obsoletes: node
            .attribute("obsoletes")
            .map(|name| name.replace('-', "_")),
        choices: choices.collect(),
        kind: match content("type") {
            Some("boolean") => Kind::Switch,
            Some("integer") => Kind::Number,
            _ => Kind::Text,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMMY: &str = r#"x.py:5: DeprecationWarning: 'pipes' is deprecated
<?xml version="1.0" ?>
<resource-agent name="fence_dummy" shortdesc="Dummy fence agent" >
<parameters>
	<parameter name="action" unique="0" required="1">
		<content type="string" default="reboot"  />
	</parameter>
	<parameter name="login-timeout" unique="0" required="0">
		<content type="integer" default="5"  />
	</parameter>
	<parameter name="ip" unique="0" required="1" obsoletes="ipaddr">
		<content type="string"  />
	</parameter>
	<parameter name="method" unique="0" required="0">
		<content type="select" default="onoff"  >
			<option value="onoff" />
			<option value="cycle" />
		</content>
	</parameter>
	<parameter name="lanplus"><content type="boolean"/></parameter>
</parameters>
<actions>
	<action name="on" automatic="0"/>
	<action name="off" />
</actions>
</resource-agent>
"#;

    #[test]
    fn options_and_actions_are_read() {
        let metadata = Metadata::read(DUMMY).expect("it is well formed");
        let ip = metadata.parameter("ip").expect("it is there");
        assert!(ip.required && !ip.has_default);
        assert_eq!(ip.obsoletes.as_deref(), Some("ipaddr"));
        let timeout = metadata.parameter("login_timeout").expect("either way");
        assert_eq!((timeout.kind, timeout.has_default), (Kind::Number, true));
        assert_eq!(metadata.parameter("login-timeout"), Some(timeout));
        let method = metadata.parameter("method").expect("it is there");
        assert_eq!(method.choices, ["onoff", "cycle"]);
        assert_eq!(metadata.parameters[4].kind, Kind::Switch);
        assert!(metadata.does("off") && !metadata.does("reboot"));
    }

    #[test]
    fn what_is_no_metadata_says_so() {
        let said = |text| Metadata::read(text).expect_err("it is none");
        assert_eq!(said("Usage: fence_x"), "it prints no XML");
        assert_eq!(
            said("<?xml version=\"1.0\"?><html/>"),
            "its XML describes no agent but <html>"
        );
        assert!(said("<resource-agent").starts_with("its XML is broken: "));
    }
}
