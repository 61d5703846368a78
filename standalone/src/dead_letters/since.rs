//! Spans of time as people write them.

use std::time::Duration;

/// Reads a number with its unit: `45s`, `30m`, `2h`, `7d`.
pub(super) fn parse(text: &str) -> Result<Duration, &'static str> {
    const WRONG: &str = "not a number with a unit, like 45s, 30m, 2h or 7d";
    let unit = text.chars().next_back().ok_or(WRONG)?;
    let number: u32 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or(WRONG)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(WRONG),
    };
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_needs_its_unit() {
        assert_eq!(parse("45s"), Ok(Duration::from_secs(45)));
        assert_eq!(parse("2h"), Ok(Duration::from_secs(7_200)));
        assert_eq!(parse("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in ["", "h", "2", "-2h", "2 h", "2w", "1.5h", "2€"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
