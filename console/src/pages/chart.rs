//! A bar for each thing, made of parts: drawn on the server, with a table of the same numbers
//! beside it in the page.

use askama::Template;

use crate::words::Count;

/// The width of a chart in its own units.
const WIDTH: f64 = 600.0;
/// The height of a row, with the space below it.
const ROW: f64 = 28.0;
/// The place of the names.
const NAMES: f64 = 180.0;

/// A chart of bars that are all as long as their sums demand.
#[derive(Template)]
#[template(path = "chart.svg.html")]
pub(super) struct Chart {
    title: String,
    height: f64,
    bars: Vec<Bar>,
    legend: Vec<(&'static str, &'static str, f64)>,
}

struct Bar {
    name: String,
    y: f64,
    parts: Vec<Part>,
}

struct Part {
    class: &'static str,
    x: f64,
    width: f64,
    told: String,
}

impl Chart {
    /// A chart of `rows`: each has a name, and a value for each of the `parts`, which are given by
    /// their names and colours. None when there is nothing to draw.
    pub(super) fn of(
        title: &str,
        parts: &[(&'static str, &'static str)],
        rows: &[(String, Vec<i64>)],
    ) -> Option<Self> {
        let sum = |values: &[i64]| values.iter().sum::<i64>();
        let longest = rows.iter().map(|(_, values)| sum(values)).max().filter(|most| *most > 0)?;
        let unit = (WIDTH - NAMES) / as_width(longest);
        let bars = rows.iter().zip(0_u32..).map(|((name, values), row)| {
            let mut x = NAMES;
            let parts = parts.iter().zip(values).map(|((told, class), value)| {
                let width = as_width(*value) * unit;
                let part = Part { class, x, width, told: format!("{told}: {value}") };
                x += width;
                part
            });
            Bar { name: name.clone(), y: f64::from(row) * ROW + ROW, parts: parts.collect() }
        });
        let bars: Vec<Bar> = bars.collect();
        let height = bars.last().map_or(ROW, |bar| bar.y) + ROW;
        let legend = parts
            .iter()
            .zip(0_u32..)
            .map(|((told, class), place)| (*told, *class, f64::from(place) * (WIDTH / 6.0)));
        Some(Self { title: title.to_owned(), height, bars, legend: legend.collect() })
    }
}

/// The height of a histogram's highest bar.
const HIGHEST: f64 = 120.0;

/// A histogram of probabilities: a bar for each twentieth, as high as its count demands.
#[derive(Template)]
#[template(path = "histogram.svg.html")]
pub(super) struct Histogram {
    pub(super) title: String,
    pub(super) bars: Vec<Column>,
}

/// A bar of a histogram.
pub(super) struct Column {
    x: f64,
    width: f64,
    top: f64,
    height: f64,
    /// Which probabilities it counts.
    pub(super) span: String,
    pub(super) count: Count,
}

impl Histogram {
    /// A histogram of counts, from the lowest probability to the highest. None when nothing is
    /// counted.
    pub(super) fn of(title: &str, counts: &[i64]) -> Option<Self> {
        let most = counts.iter().copied().max().filter(|most| *most > 0)?;
        let bars = u32::try_from(counts.len()).ok()?;
        let width = WIDTH / f64::from(bars);
        let height = |count: i64| as_width(count) / as_width(most) * HIGHEST;
        let column = |(count, place): (&i64, u32)| Column {
            x: f64::from(place) * width,
            width: width - 2.0,
            top: HIGHEST - height(*count),
            height: height(*count),
            span: format!("{} to {} %", place * 100 / bars, (place + 1) * 100 / bars),
            count: Count(*count),
        };
        let bars = counts.iter().zip(0_u32..).map(column).collect();
        Some(Self { title: title.to_owned(), bars })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a bar is no wider than a screen")]
fn as_width(value: i64) -> f64 {
    value.max(0) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_chart_and_the_others_are_in_proportion() {
        let parts = [("Matched", "good"), ("Review", "warn")];
        let rows = [("Lead".to_owned(), vec![30, 10]), ("<b>".to_owned(), vec![10, 10])];
        let chart = Chart::of("Rates", &parts, &rows).unwrap();
        let width = |bar: &Bar| bar.parts.iter().map(|part| part.width).sum::<f64>();
        assert!((width(&chart.bars[0]) - (WIDTH - NAMES)).abs() < 0.01);
        assert!((width(&chart.bars[1]) * 2.0 - width(&chart.bars[0])).abs() < 0.01);
        let svg = chart.render().unwrap();
        assert!(svg.contains("role=\"img\"") && svg.contains("&#60;b&#62;"), "{svg}");
        assert!(Chart::of("Rates", &parts, &[("Lead".to_owned(), vec![0, 0])]).is_none());
    }

    #[test]
    fn the_highest_column_is_as_high_as_the_histogram_and_each_says_what_it_counts() {
        let mut counts = vec![0; 20];
        (counts[0], counts[19]) = (30, 60);
        let histogram = Histogram::of("<b>", &counts).unwrap();
        let heights: Vec<f64> = histogram.bars.iter().map(|bar| bar.height).collect();
        assert!((heights[19] - HIGHEST).abs() < 0.01 && (heights[0] * 2.0 - HIGHEST).abs() < 0.01);
        assert_eq!(histogram.bars[19].span, "95 to 100 %");
        let svg = histogram.render().unwrap();
        assert!(svg.contains("role=\"img\"") && svg.contains("&#60;b&#62;"), "{svg}");
        assert!(svg.contains("95 to 100 %: 60"), "{svg}");
        assert!(Histogram::of("Nothing", &[0; 20]).is_none());
    }
}
