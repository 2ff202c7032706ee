//! What a thumbnail is encoded as, and which of several a client takes.

/// The encoding of a thumbnail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Baseline JPEG, 4:2:0. What is transparent becomes white. Every client shows it.
    Jpeg,
    /// PNG with 8 bits a sample, alpha kept. Large for photographs, right for drawings and logos.
    Png,
    /// Lossy WebP, alpha kept; with the feature `webp`, which compiles libwebp.
    #[cfg(feature = "webp")]
    WebP,
    /// AVIF, alpha kept; with the feature `avif`. Half the bytes of a JPEG, and some fifty times
    /// the time: for what is made ahead.
    #[cfg(feature = "avif")]
    Avif,
}

impl Output {
    /// The media type, as `Content-Type` has it.
    pub fn media_type(self) -> &'static str {
        match self {
            Output::Jpeg => "image/jpeg",
            Output::Png => "image/png",
            #[cfg(feature = "webp")]
            Output::WebP => "image/webp",
            #[cfg(feature = "avif")]
            Output::Avif => "image/avif",
        }
    }

    /// Tells whether transparency survives.
    pub fn keeps_alpha(self) -> bool {
        self != Output::Jpeg
    }

    /// Chooses from what is `offered`, in the order of preference, by a request's `Accept` header.
    ///
    /// A client takes WebP or AVIF only if it names the type: old ones send `image/*` and mean
    /// what was there in their time. JPEG and PNG are taken unless they are refused (`q=0`). Among
    /// those taken the one of the highest weight wins, and of those the first. With no header, and
    /// when everything is refused, it is the last offered that every client shows, or else the
    /// last.
    ///
    /// A reply chosen so has to say `Vary: Accept`.
    ///
    /// ```
    /// use larder_thumbs::Output;
    ///
    /// let offered = [Output::Png, Output::Jpeg];
    /// assert_eq!(Output::choose(Some("image/jpeg, image/png;q=0.5"), &offered), Output::Jpeg);
    /// assert_eq!(Output::choose(Some("*/*"), &offered), Output::Png);
    /// assert_eq!(Output::choose(None, &offered), Output::Jpeg);
    /// ```
    ///
    /// # Panics
    ///
    /// When nothing is offered.
    pub fn choose(accept: Option<&str>, offered: &[Output]) -> Output {
        let everywhere = offered.iter().rev().find(|output| output.is_shown_everywhere());
        let fallback = *everywhere.or(offered.last()).expect("something has to be offered");
        let Some(accept) = accept else { return fallback };
        let ranges: Vec<Range<'_>> = accept.split(',').filter_map(Range::parse).collect();
        let mut best = (0, fallback);
        for &output in offered {
            let weight = output.weight_in(&ranges);
            if weight > best.0 {
                best = (weight, output);
            }
        }
        best.1
    }

    fn is_shown_everywhere(self) -> bool {
        matches!(self, Output::Jpeg | Output::Png)
    }

    /// The weight of the most specific range that applies, in thousandths.
    fn weight_in(self, ranges: &[Range<'_>]) -> u32 {
        let of = |name: &str| ranges.iter().find(|range| range.is(name)).map(|range| range.weight);
        let named = of(self.media_type());
        let general = || {
            let general = of("image/*").or_else(|| of("*/*"));
            general.filter(|_| self.is_shown_everywhere())
        };
        named.or_else(general).unwrap_or(0)
    }
}

/// One element of an `Accept` header.
struct Range<'a> {
    name: &'a str,
    /// In thousandths.
    weight: u32,
}

impl<'a> Range<'a> {
    /// Reads `type/subtype;q=0.8`; what is no such thing is passed over.
    fn parse(element: &'a str) -> Option<Range<'a>> {
        let mut parts = element.split(';').map(str::trim);
        let name = parts.next().filter(|name| name.contains('/'))?;
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
        });
        Some(Range { name, weight: weight.unwrap_or(1000) })
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Reads a weight of 0 to 1; what cannot be read weighs nothing.
fn thousandths(value: &str) -> u32 {
    let weight: f64 = value.parse().unwrap_or(0.0);
    if weight.is_finite() { (weight.clamp(0.0, 1.0) * 1000.0) as u32 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::Output::{self, Jpeg, Png};

    #[test]
    fn the_weight_decides_then_the_order() {
        let offered = [Png, Jpeg];
        for (accept, expected) in [
            ("image/png,image/jpeg", Png),
            ("image/jpeg;q=0.9, image/png;q=0.8", Jpeg),
            ("image/*;q=0.8,image/jpeg;q=0.9", Jpeg),
            ("image/png;q=0, */*", Jpeg),
            ("IMAGE/JPEG;Q=1.0, image/png; q=0.1", Jpeg),
            ("text/html", Jpeg),
            ("image/png;q=0, image/jpeg;q=0", Jpeg),
            ("image/png;q=nan,image/jpeg;q=0.001", Jpeg),
            ("", Jpeg),
            (",;=/,q=1", Jpeg),
        ] {
            assert_eq!(Output::choose(Some(accept), &offered), expected, "{accept:?}");
        }
    }

    #[cfg(feature = "webp")]
    #[test]
    fn a_newer_format_has_to_be_named() {
        let offered = [Output::WebP, Jpeg];
        let chosen = |accept| Output::choose(Some(accept), &offered);
        assert_eq!(chosen("image/*,*/*;q=0.8"), Jpeg);
        assert_eq!(chosen("image/avif,image/webp,image/*,*/*;q=0.8"), Output::WebP);
        assert_eq!(Output::choose(None, &[Jpeg, Output::WebP]), Jpeg);
    }
}
