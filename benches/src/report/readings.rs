//! Where numbers come from: criterion's directories, and the lines of `--json`.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

use crate::table::Reading;

/// Reads all that a criterion wrote below its home.
///
/// # Errors
///
/// What the file system says; a file that is not as criterion writes it.
pub fn of_criterion(home: &Path) -> io::Result<Vec<Reading>> {
    let mut readings = Vec::new();
    collect(home, &mut readings)?;
    readings.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(readings)
}

fn collect(dir: &Path, readings: &mut Vec<Reading>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name == "new") {
            let read = |name: &str| fs::read_to_string(path.join(name));
            let reading = reading(&read("benchmark.json")?, &read("estimates.json")?);
            let unclear = || io::Error::other(format!("{}: not criterion's", path.display()));
            readings.push(reading.ok_or_else(unclear)?);
        } else if path.is_dir() {
            collect(&path, readings)?;
        }
    }
    Ok(())
}

/// One benchmark: its name, and the median of its samples in nanoseconds.
fn reading(benchmark: &str, estimates: &str) -> Option<Reading> {
    let benchmark: Value = serde_json::from_str(benchmark).ok()?;
    let estimates: Value = serde_json::from_str(estimates).ok()?;
    let median = &estimates["median"];
    let bounds = &median["confidence_interval"];
    let ends = bounds["lower_bound"].as_f64().zip(bounds["upper_bound"].as_f64());
    Some(Reading {
        id: benchmark["full_id"].as_str()?.to_owned(),
        value: median["point_estimate"].as_f64()?,
        unit: "ns".to_owned(),
        interval: ends,
    })
}

/// Reads the lines that tables and scripts wrote; none if there is no such file.
///
/// # Errors
///
/// What the file system says; a line that is no reading.
pub fn of_lines(path: &Path) -> io::Result<Vec<Reading>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    text.lines().map(|line| serde_json::from_str(line).map_err(io::Error::other)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BENCHMARK: &str = r#"{"group_id":"memo_hit","function_id":"moka","value_str":"1000x1",
        "throughput":null,"full_id":"memo_hit/moka/1000x1","directory_name":"memo_hit/moka/1000x1",
        "title":"memo_hit/moka/1000x1"}"#;
    const ESTIMATES: &str = r#"{"mean":{"confidence_interval":{"confidence_level":0.95,
        "lower_bound":1.0,"upper_bound":9.0},"point_estimate":5.0,"standard_error":0.1},
        "median":{"confidence_interval":{"confidence_level":0.95,"lower_bound":119.5,
        "upper_bound":122.25},"point_estimate":121.0,"standard_error":0.5},"slope":null}"#;

    #[test]
    fn the_median_is_read_with_both_ends() {
        let read = reading(BENCHMARK, ESTIMATES).unwrap();
        assert_eq!((read.id.as_str(), read.value), ("memo_hit/moka/1000x1", 121.0));
        assert_eq!(read.interval, Some((119.5, 122.25)));
    }

    #[test]
    fn a_tree_is_walked_and_what_is_broken_named() {
        let home = tempfile::tempdir().unwrap();
        let new = home.path().join("memo_hit/moka/1000x1/new");
        fs::create_dir_all(&new).unwrap();
        fs::write(new.join("benchmark.json"), BENCHMARK).unwrap();
        fs::write(new.join("estimates.json"), ESTIMATES).unwrap();
        assert_eq!(of_criterion(home.path()).unwrap().len(), 1);
        fs::write(new.join("estimates.json"), "{}").unwrap();
        let error = of_criterion(home.path()).unwrap_err().to_string();
        assert!(error.contains("1000x1"), "{error}");
    }

    #[test]
    fn lines_that_nobody_wrote_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("numbers");
        assert!(of_lines(&path).unwrap().is_empty());
        fs::write(&path, "{\"id\":\"a/b\",\"value\":1.5,\"unit\":\"ms\"}\n").unwrap();
        assert_eq!(of_lines(&path).unwrap()[0].value, 1.5);
        fs::write(&path, "no reading\n").unwrap();
        assert!(of_lines(&path).is_err());
    }
}
