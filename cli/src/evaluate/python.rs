//! Numbers printed as Python prints them, so that our evaluation and the reference script's can be
//! compared as text.

use std::fmt::Write as _;

/// `round(x, 4)`: both languages round the exact binary value, ties to even.
pub(super) fn round4(x: f64) -> f64 {
    format!("{x:.4}").parse().unwrap_or(x)
}

/// `repr(x)`: the shortest digits that read back, an exponent below 1e-4 and from 1e16.
pub(super) fn repr(x: f64) -> String {
    if x.is_infinite() {
        return if x > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let scientific = format!("{x:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if x != 0.0 && !(-4..16).contains(&exponent) {
        return with_exponent(mantissa, exponent);
    }
    let plain = format!("{x}");
    if plain.contains('.') { plain } else { plain + ".0" }
}

/// `f"{x:.4g}"`: four significant digits, trailing zeros cut.
pub(super) fn general4(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return if x == 0.0 { "0".into() } else { format!("{x}") };
    }
    let scientific = format!("{x:.3e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..4).contains(&exponent) {
        return with_exponent(trim_zeros(mantissa), exponent);
    }
    let decimals = usize::try_from(3 - exponent).unwrap_or(0);
    trim_zeros(&format!("{x:.decimals$}")).to_owned()
}

fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn trim_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// `json.dumps(s)`: quoted, everything outside ASCII as `\uXXXX` of its UTF-16 units.
pub(super) fn json_string(s: &str) -> String {
    let quoted = serde_json::Value::from(s).to_string();
    let mut out = String::with_capacity(quoted.len());
    for c in quoted.chars() {
        if matches!(c, ' '..='~') {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_python_prints_them() {
        let expected = [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (0.9234, "0.9234"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (-1e300, "-1e+300"),
        ];
        for (x, text) in expected {
            assert_eq!(repr(x), text);
        }
    }

    #[test]
    fn four_significant_digits_print_as_python_prints_them() {
        let expected = [
            (0.5, "0.5"),
            (0.123_456, "0.1235"),
            (12_345.0, "1.234e+04"),
            (1234.0, "1234"),
            (-1e300, "-1e+300"),
            (0.000_012_345, "1.234e-05"),
            (0.99999, "1"),
            (0.0, "0"),
        ];
        for (x, text) in expected {
            assert_eq!(general4(x), text);
        }
    }

    #[test]
    fn text_outside_ascii_is_escaped_by_utf16_units() {
        assert_eq!(json_string("é\"😀\n"), r#""\u00e9\"\ud83d\ude00\n""#);
    }
}
