//! One picture a claim: lines, or bars, as SVG. All axes are logarithmic, since what is compared
//! here is apart by factors.

use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;
use serde::Serialize;

use super::Outcome;

/// A picture that has not been drawn yet.
#[derive(Clone, Debug, Serialize)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What its length is measured in.
    pub value: String,
    /// What is drawn.
    pub shape: Shape,
}

/// What is drawn.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// How something grows with something else, which is named first: a line for each name.
    Lines(String, Vec<(String, Vec<(f64, f64)>)>),
    /// Bars with their names.
    Bars(Vec<(String, f64)>),
}

const WIDTH: u32 = 760;
/// Of one bar and its name.
const BAR: u32 = 38;
/// What a line in the legend takes of the height.
const LEGEND: f64 = 0.06;
/// Dark enough for thin lines on white, and apart for those who see red and green alike.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 86, 86),
    RGBColor(150, 110, 0),
];

impl Chart {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// What the plotting crate says; that there is nothing to draw.
    pub fn draw(&self) -> Outcome<String> {
        let mut svg = String::new();
        match &self.shape {
            Shape::Lines(across, lines) => self.draw_lines(&mut svg, across, lines)?,
            Shape::Bars(bars) => self.draw_bars(&mut svg, bars)?,
        }
        Ok(svg)
    }

    fn draw_lines(
        &self,
        svg: &mut String,
        across: &str,
        lines: &[(String, Vec<(f64, f64)>)],
    ) -> Outcome<()> {
        let points = || lines.iter().flat_map(|(_, points)| points.iter().filter(is_drawable));
        let (left, right) = bounds(points().map(|point| point.0))?;
        let (low, high) = bounds(points().map(|point| point.1))?;
        let low = low * 0.7;
        // The legend stands above the highest line.
        let span = (high / low).max(2.0);
        let top = high * span.powf(1.0 / (0.95 - LEGEND * lines.len() as f64) - 1.0);
        let root = SVGBackend::with_string(svg, (WIDTH, 420)).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(&self.title, ("sans-serif", 17))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(76)
            .build_cartesian_2d((left..right).log_scale(), (low..top).log_scale())?;
        chart
            .configure_mesh()
            .x_desc(across)
            .y_desc(&self.value)
            .x_label_formatter(&|at| short(*at))
            .y_label_formatter(&|at| short(*at))
            .light_line_style(BLACK.mix(0.05))
            .draw()?;
        for (nth, (name, points)) in lines.iter().enumerate() {
            let colour = COLOURS[nth % COLOURS.len()];
            let drawable: Vec<_> = points.iter().filter(is_drawable).copied().collect();
            chart
                .draw_series(LineSeries::new(drawable.clone(), colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour));
            chart.draw_series(drawable.iter().map(|at| Circle::new(*at, 3, colour.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.2))
            .draw()?;
        root.present()?;
        Ok(())
    }

    fn draw_bars(&self, svg: &mut String, bars: &[(String, f64)]) -> Outcome<()> {
        let values = || bars.iter().map(|bar| bar.1).filter(|value| is_drawable(&&(1.0, *value)));
        let (low, high) = bounds(values())?;
        let (from, to) = (low * 0.5, high * 4.0);
        let count = bars.len() as f64;
        let height = BAR * bars.len() as u32 + 100;
        let root = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(&self.title, ("sans-serif", 17))
            .margin(12)
            .x_label_area_size(44)
            .build_cartesian_2d((from..to).log_scale(), 0.0..count)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_desc(&self.value)
            .x_label_formatter(&|at| short(*at))
            .light_line_style(BLACK.mix(0.05))
            .draw()?;
        for (nth, (name, value)) in bars.iter().enumerate() {
            let top = count - nth as f64;
            let colour = COLOURS[usize::from(!name.starts_with("larder"))];
            let end = if is_drawable(&&(1.0, *value)) { *value } else { from };
            let corners = [(from, top - 0.9), (end, top - 0.5)];
            chart.draw_series([Rectangle::new(corners, colour.filled())])?;
            let label = format!("{name}: {}", short(*value));
            let font = ("sans-serif", 13).into_font();
            chart.draw_series([Text::new(label, (from * 1.02, top - 0.08), font)])?;
        }
        root.present()?;
        Ok(())
    }
}

/// A logarithm needs something above zero.
fn is_drawable(point: &&(f64, f64)) -> bool {
    [point.0, point.1].iter().all(|at| at.is_finite() && *at > 0.0)
}

fn bounds(values: impl Iterator<Item = f64>) -> Outcome<(f64, f64)> {
    let span = |(low, high): (f64, f64), value: f64| (low.min(value), high.max(value));
    let (low, high) = values.fold((f64::INFINITY, 0.0), span);
    if !low.is_finite() {
        return Err("a chart without a number".into());
    }
    // An axis of no length can't be drawn.
    Ok((low, if high > low { high } else { low * 1.1 }))
}

/// Writes a number as shortly as it can be told: `1.2`, `450`, `12k`, `3.4M`.
pub fn short(number: f64) -> String {
    let (scaled, letter) = match number.abs() {
        size if size >= 1e9 => (number / 1e9, "G"),
        size if size >= 1e6 => (number / 1e6, "M"),
        size if size >= 1e4 => (number / 1e3, "k"),
        _ => (number, ""),
    };
    match scaled.abs() {
        size if size.is_nan() => "-".to_owned(),
        size if size >= 99.95 || size == size.trunc() => format!("{scaled:.0}{letter}"),
        size if size >= 1.0 => format!("{scaled:.1}{letter}"),
        _ => format!("{scaled:.2}{letter}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(shape: Shape) -> Chart {
        Chart { title: "a title".into(), value: "ns each".into(), shape }
    }

    #[test]
    fn lines_are_drawn_without_what_has_no_logarithm() {
        let points = vec![(1.0, 10.0), (10.0, f64::NAN), (100.0, 0.0), (1000.0, 90.0)];
        let lines = vec![("larder".into(), points), ("other".into(), vec![])];
        let svg = chart(Shape::Lines("connections".into(), lines)).draw().unwrap();
        for text in ["<svg", "a title", "ns each", "connections", "larder", "other", "</svg>"] {
            assert!(svg.contains(text), "{text} is not in it");
        }
        let circles = svg.matches("<circle").count();
        assert_eq!(circles, 2, "one for each point that has one");
    }

    #[test]
    fn each_bar_has_its_name_and_number() {
        let bars = vec![("larder".into(), 12.0), ("missing".into(), f64::NAN)];
        let svg = chart(Shape::Bars(bars)).draw().unwrap();
        assert!(svg.contains("larder: 12") && svg.contains("missing: -"));
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        assert!(chart(Shape::Bars(vec![("larder".into(), f64::NAN)])).draw().is_err());
        assert!(chart(Shape::Lines("x".into(), vec![])).draw().is_err());
    }

    #[test]
    fn numbers_are_short() {
        let cases =
            [(0.456, "0.46"), (1.25, "1.2"), (7.0, "7"), (450.4, "450"), (12_345.0, "12.3k")];
        cases.iter().for_each(|(number, text)| assert_eq!(short(*number), *text));
        assert_eq!((short(3.4e6), short(f64::NAN)), ("3.4M".into(), "-".into()));
    }
}
