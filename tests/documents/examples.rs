//! Every example of a ha.toml in a document is good.

use crate::documents;
use ha_appliance::config::{generate_key_line, parse_with_key_file};

/// The text of each block of TOML, without the indentation of the list that it is in.
fn blocks(text: &str) -> Vec<String> {
    let (mut blocks, mut inside) = (Vec::new(), None);
    for line in text.lines() {
        let fence = line.trim_start().strip_prefix("```");
        match (inside, fence) {
            (None, Some(words)) => {
                let indent = line.len() - line.trim_start().len();
                let toml = words.split(' ').next() == Some("toml");
                inside = Some((indent, toml));
                blocks.extend(toml.then(String::new));
            }
            (Some(_), Some(_)) => inside = None,
            (Some((indent, true)), None) => {
                let block = blocks.last_mut().expect("begun");
                *block += line.get(indent..).unwrap_or_default();
                block.push('\n');
            }
            _ => {}
        }
    }
    blocks
}

#[test]
fn every_example_is_good() {
    let mut checked = 0;
    for (path, text) in documents() {
        for block in blocks(&text) {
            let key = generate_key_line([7; 32]);
            let parsed = parse_with_key_file(&block, &path, &key);
            parsed.unwrap_or_else(|error| panic!("{error}\n{block}"));
            checked += 1;
        }
    }
    assert!(checked >= 2, "{checked}");
}
