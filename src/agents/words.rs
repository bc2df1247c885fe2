//! What other programs said, made fit for a line of a log, of the status page and of a terminal,
//! where their control characters would act: they become spaces.

/// The last line that says something and matters, at most so many characters of it.
pub fn last_line(output: &str, longest: usize, matters: impl Fn(&str) -> bool) -> Option<String> {
    let mut lines = output.lines().map(printable);
    let last = lines.rfind(|line| !line.is_empty() && matters(line))?;
    Some(last.chars().take(longest).collect())
}

/// The lines that say something and matter, in one, at most so many characters of it; what is said
/// twice in a row stands once.
pub fn in_one_line(output: &str, longest: usize, matters: impl Fn(&str) -> bool) -> String {
    let lines = output.lines().map(printable);
    let mut lines: Vec<String> = lines.filter(|l| !l.is_empty() && matters(l)).collect();
    lines.dedup();
    lines.join("; ").chars().take(longest).collect()
}

/// The text without control characters, and without space at its ends.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, " ").trim().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a test runner or a coloured log writes.
    const COLOURED: &str = "starting\n\x1b[31mno replica\x1b[0m\u{9b}2J\x07\r\n \n";

    #[test]
    fn what_would_act_on_a_terminal_does_not_get_there() {
        assert_eq!(
            last_line(COLOURED, 99, |_| true).unwrap(),
            "[31mno replica [0m 2J"
        );
        assert_eq!(
            in_one_line(COLOURED, 22, |_| true),
            "starting; [31mno repli"
        );
        assert_eq!(in_one_line(COLOURED, 99, |l| l == "starting"), "starting");
        assert_eq!(in_one_line("a\n a\nb", 99, |_| true), "a; b");
        assert_eq!(last_line(" \n\x1b\n", 99, |_| true), None);
    }
}
