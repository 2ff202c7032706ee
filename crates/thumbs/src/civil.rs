//! The date and time on a camera's clock.

use std::fmt;

/// A date and time as the camera's clock showed it, of no known time zone.
///
/// Displayed as `YYYY-MM-DDTHH:MM:SS`, which sorts as text. Always a date that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilDateTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl CivilDateTime {
    /// Reads EXIF's `YYYY:MM:DD HH:MM:SS`; anything else, blanks and dates that do not exist, is
    /// `None`.
    pub(crate) fn from_exif(text: &[u8]) -> Option<CivilDateTime> {
        let text = text.get(..19)?;
        let separators = [(4, b':'), (7, b':'), (10, b' '), (13, b':'), (16, b':')];
        if separators.iter().any(|&(at, byte)| text[at] != byte) {
            return None;
        }
        let year = number(&text[..4])?;
        let [month, day, hour, minute, second] =
            [5, 8, 11, 14, 17].map(|at| number(&text[at..at + 2]).map(|n| n as u8));
        CivilDateTime {
            year,
            month: month?,
            day: day?,
            hour: hour?,
            minute: minute?,
            second: second?,
        }
        .if_exists()
    }

    fn if_exists(self) -> Option<CivilDateTime> {
        let exists = self.year > 0
            && (1..=12).contains(&self.month)
            && (1..=days_in_month(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60;
        exists.then_some(self)
    }
}

impl fmt::Display for CivilDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CivilDateTime { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |sum: u16, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0'))
    })
}

fn days_in_month(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
