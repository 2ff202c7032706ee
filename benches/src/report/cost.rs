//! How cost grows with entries, threads, connections and pictures: words, numbers and a picture.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::Outcome;
use super::chart::{FAINT, GREEN, GRID, INK, text};
use super::line::{Readings, digits, readable};

/// One small picture: what grows, with what, and why.
struct Series {
    /// How its readings' names begin; a size follows.
    group: &'static str,
    crate_: &'static str,
    /// What the cost is of.
    work: &'static str,
    /// What there is more and more of.
    across: &'static str,
    why: &'static str,
}

const SERIES: [Series; 9] = [
    Series {
        group: "cost_memo/entries",
        crate_: "memo",
        work: "a hit of StaticMemo, every key as likely as another",
        across: "entries",
        why: "A hit is one probe and takes no lock, so the work is the same at any size. What grows is \
              the memory that it looks at: from the processor's nearest cache to the machine's memory, \
              which every table pays, a bare `HashMap` too.",
    },
    Series {
        group: "cost_vars/names",
        crate_: "vars",
        work: "a read of one of an array's variables",
        across: "names",
        why: "As with memo: one probe, no lock. Only caches grow dearer.",
    },
    Series {
        group: "cost_pool/threads",
        crate_: "pool",
        work: "get and drop on 8 connections, by the clock of all threads together",
        across: "threads",
        why: "Up to as many threads as connections each claims its own slot by one exchange. Beyond, \
              some must wait, which costs a wake-up each; they wait in order, however many they are, \
              and the cost levels off instead of growing with the queue.",
    },
    Series {
        group: "cost_files/entries",
        crate_: "files",
        work: "a hit on an open file, keys built beforehand",
        across: "open files",
        why: "The index of open descriptors is bounded, and a hit is a probe of it without a system \
              call. Who asks for more than may be open at a time has hits of the next kind.",
    },
    Series {
        group: "cost_files_cold/entries",
        crate_: "files",
        work: "a hit on a file that is not open",
        across: "files on disk",
        why: "The name is found by the file system: two directories and a file, whatever the number of \
              entries. What grows is how much of the directories the kernel has at hand.",
    },
    Series {
        group: "cost_sessions/sessions",
        crate_: "sessions",
        work: "a check in memory, header to typed value",
        across: "sessions",
        why: "A check looks into one shard and at one session. Clean-up looks at those that have \
              expired alone, so that the number of the living is not in it.",
    },
    Series {
        group: "cost_thumbs/megapixels",
        crate_: "thumbs",
        work: "one thumbnail of 320 px",
        across: "megapixels",
        why: "Entropy decoding sees every pixel once: in proportion to the picture, while colour, \
              resizing and memory are those of a scaled picture that is never more than eight times \
              as large as what is asked for. Small pictures pay what does not depend on size.",
    },
    Series {
        group: "cost_thumbs_many/pictures",
        crate_: "thumbs",
        work: "all of so many pictures of 2 MP to 320 px, one thread",
        across: "pictures",
        why: "In proportion: pictures share nothing but the memory budget.",
    },
    Series {
        group: "cost_serve/connections",
        crate_: "serve",
        work: "server CPU of an 8 KB answer from memory",
        across: "busy connections",
        why: "The I/O thread asks the kernel for what is ready, and pays a part of one wait for each \
              answer: with more connections a wait has more answers in it, and a request costs less, \
              until the connections' own states no longer fit the caches. An idle connection is \
              never looked at.",
    },
];

/// The points of a series: sizes and costs, and the costs' unit.
struct Points<'s> {
    series: &'s Series,
    unit: String,
    points: Vec<(f64, f64)>,
}

fn points<'s>(series: &'s Series, readings: &Readings<'_>) -> Option<Points<'s>> {
    let mut found: Vec<(f64, f64, &str)> = readings
        .values()
        .filter_map(|reading| {
            let rest = reading.id.strip_prefix(series.group)?.strip_prefix('/')?;
            let size = rest.strip_suffix("/cost")?;
            Some((size.parse().ok()?, reading.value, reading.unit.as_str()))
        })
        .filter(|(size, cost, _)| *size > 0.0 && *cost > 0.0)
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let unit = found.first()?.2.to_owned();
    let points = found.into_iter().map(|(size, cost, _)| (size, cost)).collect();
    Some(Points { series, unit, points })
}

/// The words and the picture; none without numbers.
///
/// # Errors
///
/// What the plotting crate says.
pub fn model(readings: &Readings<'_>) -> Outcome<Option<(String, String)>> {
    let all: Vec<_> = SERIES.iter().filter_map(|series| points(series, readings)).collect();
    match all.is_empty() {
        true => Ok(None),
        false => Ok(Some((words(&all), picture(&all)?))),
    }
}

fn words(all: &[Points<'_>]) -> String {
    let mut page = String::from(
        "# What grows\n\nThe cost of one operation while there is more and more of \
         something, measured by `cargo bench -p larder-benches --bench cost`. A slope of 1 is in \
         proportion, 0 is not at all.\n\n![How cost grows](cost.svg)\n",
    );
    for points in all {
        let Points { series, unit, .. } = points;
        page += &format!("\n## {}: {}\n\n", series.crate_, series.work);
        page += &format!("| {} | cost | times the first |\n|---:|---:|---:|\n", series.across);
        let first = points.points[0].1;
        for (size, cost) in &points.points {
            let (step, unit) = readable(*cost, unit);
            let (cost, times) = (digits(cost / step), digits(cost / first));
            page += &format!("| {} | {cost} {unit} | {times} |\n", sized(*size));
        }
        page += &format!("\nSlope {:.2}. {}\n", slope(&points.points), series.why);
    }
    page
}

/// By how much the logarithm of the cost grows with that of the size, from end to end.
fn slope(points: &[(f64, f64)]) -> f64 {
    match (points.first(), points.last()) {
        (Some(a), Some(b)) if a.0 < b.0 => (b.1 / a.1).ln() / (b.0 / a.0).ln(),
        _ => 0.0,
    }
}

/// `1000000` as `1M`.
fn sized(size: f64) -> String {
    match size {
        size if size >= 1e6 => format!("{}M", size / 1e6),
        size if size >= 1e3 => format!("{}k", size / 1e3),
        size => format!("{size}"),
    }
}

const COLUMNS: usize = 3;
const CELL: (i32, i32) = (320, 220);
const HEAD: i32 = 64;

fn picture(all: &[Points<'_>]) -> Outcome<String> {
    let mut svg = String::new();
    let lines = all.len().div_ceil(COLUMNS) as i32;
    let size = ((CELL.0 * COLUMNS as i32) as u32, (HEAD + CELL.1 * lines) as u32);
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    area.fill(&WHITE)?;
    text(&area, "What grows, and what does not", (20, 24), 20, INK, HPos::Left)?;
    let note =
        "cost of one operation, on logarithmic axes; grey is what growth in proportion would be";
    text(&area, note, (20, 48), 13, FAINT, HPos::Left)?;
    for (nth, points) in all.iter().enumerate() {
        let at = ((nth % COLUMNS) as i32 * CELL.0, HEAD + (nth / COLUMNS) as i32 * CELL.1);
        small(&area, points, at)?;
    }
    area.present()?;
    drop(area);
    Ok(svg)
}

/// One small picture. All have a factor of 100 or more upwards, so that their slopes compare.
fn small(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    points: &Points<'_>,
    (left, top): (i32, i32),
) -> Outcome<()> {
    let name = format!("{}, by {}", points.series.crate_, points.series.across);
    text(area, &name, (left + 20, top + 20), 14, INK, HPos::Left)?;
    let costs = || points.points.iter().map(|point| point.1);
    let (low, high) = (costs().fold(f64::MAX, f64::min), costs().fold(0.0, f64::max));
    // The lines begin a fifth up, and what there is beyond them is room to grow.
    let low = low / 2.5;
    let high = (low * 250.0).max(high * 1.5);
    let (first, last) = (points.points[0].0, points.points[points.points.len() - 1].0);
    let across = (last / first).max(2.0).ln();
    let place = |(size, cost): (f64, f64)| {
        let x = (size / first).ln() / across * f64::from(CELL.0 - 76);
        let y = (cost / low).ln() / (high / low).ln() * f64::from(CELL.1 - 78);
        (left + 34 + x as i32, top + CELL.1 - 34 - y as i32)
    };
    let ground = top + CELL.1 - 34;
    area.draw(&PathElement::new(
        vec![(left + 20, ground), (left + CELL.0 - 24, ground)],
        GRID.stroke_width(1),
    ))?;
    // In proportion: what the line would be if twice as many cost twice as much.
    let origin = points.points[0];
    let most = (high / origin.1).min(last / first);
    let proportion = vec![place(origin), place((origin.0 * most, origin.1 * most))];
    area.draw(&PathElement::new(proportion, GRID.stroke_width(2)))?;
    let path: Vec<_> = points.points.iter().copied().map(place).collect();
    area.draw(&PathElement::new(path, GREEN.stroke_width(2)))?;
    for (nth, &(size, cost)) in points.points.iter().enumerate() {
        let (x, y) = place((size, cost));
        area.draw(&Circle::new((x, y), 4, GREEN.filled()))?;
        let (step, unit) = readable(cost, &points.unit);
        let is_crowded = points.points.len() > 4 && nth % 2 == 1;
        text(area, &sized(size), (x, ground + 14), 11, FAINT, HPos::Center)?;
        if !is_crowded {
            let cost = format!("{} {unit}", digits(cost / step));
            text(area, &cost, (x, y - 14), 12, INK, HPos::Center)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Reading;

    fn readings(sizes: &[(u64, f64)]) -> Vec<Reading> {
        let reading = |(size, value): &(u64, f64)| Reading {
            id: format!("cost_memo/entries/{size}/cost"),
            value: *value,
            unit: "ns".into(),
            interval: None,
        };
        sizes.iter().map(reading).collect()
    }

    #[test]
    fn points_are_in_the_order_of_their_sizes() {
        let readings = readings(&[(100_000, 9.0), (1_000, 3.0), (10_000, 4.0)]);
        let by_name = readings.iter().map(|reading| (reading.id.as_str(), reading)).collect();
        let (words, svg) = model(&by_name).unwrap().unwrap();
        assert!(words.contains("| 1k | 3.00 ns | 1.00 |\n| 10k | 4.00 ns | 1.33 |\n| 100k |"));
        assert!(svg.contains("memo, by entries") && svg.contains("</svg>"));
    }

    #[test]
    fn only_costs_are_points() {
        let mut readings = readings(&[(1, 3.0), (10, 4.0)]);
        readings
            .push(Reading { id: "cost_memo/entries/1/requests/s".into(), ..readings[0].clone() });
        let by_name = readings.iter().map(|reading| (reading.id.as_str(), reading)).collect();
        assert_eq!(points(&SERIES[0], &by_name).unwrap().points, [(1.0, 3.0), (10.0, 4.0)]);
    }

    #[test]
    fn what_is_in_proportion_has_the_slope_of_one() {
        assert_eq!(slope(&[(1.0, 2.0), (10.0, 20.0), (100.0, 200.0)]), 1.0);
        assert_eq!(slope(&[(1.0, 2.0), (100.0, 2.0)]), 0.0);
        assert_eq!(slope(&[(1.0, 2.0)]), 0.0);
    }

    #[test]
    fn without_numbers_there_is_no_model() {
        assert!(model(&Readings::new()).unwrap().is_none());
    }
}
