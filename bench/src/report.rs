//! The result: one row a case, as a table or as JSON lines.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::{load::Sample, process::Memory};

/// What the rounds gave so far. The first case is the limit, to which the others are set in proportion.
pub struct Report(Vec<Measured>);

struct Measured {
    case: &'static str,
    rates: Vec<f64>,
    micros: Vec<u32>,
    memory: Memory,
}

#[derive(Serialize)]
struct Row {
    case: &'static str,
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    ratio: f64,
    rss_mib: f64,
    anonymous_mib: f64,
    requests: usize,
}

impl Report {
    pub fn new(cases: impl Iterator<Item = &'static str>) -> Self {
        let empty =
            |case| Measured { case, rates: Vec::new(), micros: Vec::new(), memory: Memory::default() };
        Self(cases.map(empty).collect())
    }

    /// Adds a slice of the case at this place, with what its server used after it.
    pub fn add(&mut self, place: usize, mut sample: Sample, memory: Memory) {
        let case = &mut self.0[place];
        case.rates.push(sample.rate());
        case.micros.append(&mut sample.micros);
        case.memory.resident = case.memory.resident.max(memory.resident);
        case.memory.anonymous = case.memory.anonymous.max(memory.anonymous);
    }

    /// How much one case does beside another, in the median over the rounds.
    pub fn ratio(&self, case: &str, beside: &str) -> Option<f64> {
        let rates = |name| self.0.iter().find(|measured| measured.case == name).map(|found| &found.rates);
        let (rates, beside) = (rates(case)?, rates(beside)?);
        Some(rounded(median(rates.iter().zip(beside).map(|(rate, beside)| rate / beside).collect()), 2))
    }

    /// Prints one row a case.
    pub fn print(mut self, json: bool) {
        let rows = self.rows();
        if !json {
            println!(
                "{:<14}{:>12}{:>10}{:>10}{:>10}{:>10}{:>8}",
                "case", "asked/s", "p50 ms", "p99 ms", "RSS MiB", "anon MiB", "ratio"
            );
        }
        for row in rows {
            line(&row, json);
        }
    }

    fn rows(&mut self) -> Vec<Row> {
        let limit = self.0.first().map(|case| case.rates.clone()).unwrap_or_default();
        self.0.iter_mut().map(|case| case.row(&limit)).collect()
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<14}{:>12.0}{:>10.2}{:>10.2}{:>10.1}{:>10.1}{:>8.3}",
            self.case,
            self.requests_per_second,
            self.p50_ms,
            self.p99_ms,
            self.rss_mib,
            self.anonymous_mib,
            self.ratio
        )
    }
}

impl Measured {
    /// Rate and ratio are medians over the rounds; a ratio is taken within its round, where both saw the same
    /// machine. The percentiles are over all requests.
    fn row(&mut self, limit: &[f64]) -> Row {
        self.micros.sort_unstable();
        let ratios = self.rates.iter().zip(limit).map(|(rate, limit)| rate / limit).collect();
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        Row {
            case: self.case,
            requests_per_second: rounded(median(self.rates.clone()), 1),
            p50_ms: percentile(&self.micros, 0.50),
            p99_ms: percentile(&self.micros, 0.99),
            ratio: rounded(median(ratios), 4),
            rss_mib: rounded(mib(self.memory.resident), 1),
            anonymous_mib: rounded(mib(self.memory.anonymous), 1),
            requests: self.micros.len(),
        }
    }
}

/// Prints a row of its own: as it reads, or as a JSON object.
pub fn line(row: &(impl Serialize + Display), json: bool) {
    if json {
        println!("{}", serde_json::to_string(row).unwrap_or_default());
    } else {
        println!("{row}");
    }
}

pub fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// Milliseconds within which this share of the requests was answered.
pub fn percentile(sorted_micros: &[u32], share: f64) -> f64 {
    let rank = (sorted_micros.len() as f64 * share).ceil() as usize;
    sorted_micros.get(rank.saturating_sub(1)).map_or(0.0, |micros| f64::from(*micros) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sample(requests: u32, seconds: u64) -> Sample {
        let micros = (1..=requests).map(|n| n * 1_000).collect();
        Sample { micros, items: 1, elapsed: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_ratio_compares_within_its_round() {
        let mut report = Report::new(["limit", "send"].into_iter());
        // The machine halves its speed in the second round: both cases feel it, the ratio stays.
        for seconds in [1, 2] {
            report.add(0, sample(100, seconds), Memory::default());
            report.add(1, sample(50, seconds), Memory::default());
        }
        let rows = report.rows();
        assert_eq!((rows[0].ratio, rows[1].ratio), (1.0, 0.5));
        assert_eq!(rows[0].requests_per_second, 75.0);
    }

    #[test]
    fn percentiles_are_of_all_requests() {
        let sorted: Vec<u32> = (1..=100).map(|n| n * 1_000).collect();
        assert_eq!((percentile(&sorted, 0.50), percentile(&sorted, 0.99)), (50.0, 99.0));
        assert_eq!(percentile(&[], 0.99), 0.0);
    }
}
