//! How fast a cost grows: as which power of what it is measured against.

/// The slope of the straight line through points, by least squares, where both axes are logarithmic: 1 for what is linear, 0
/// for what is constant. `None` for fewer than two different points.
#[must_use]
pub fn slope(points: impl IntoIterator<Item = (f64, f64)>) -> Option<f64> {
    let logs = points.into_iter().map(|(x, y)| (x.ln(), y.ln()));
    let logs: Vec<(f64, f64)> = logs
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect();
    let n = logs.len() as f64;
    let (x_sum, y_sum) = logs.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
    let (x_mean, y_mean) = (x_sum / n, y_sum / n);
    let product = |(x, y): &(f64, f64)| (x - x_mean) * (y - y_mean);
    let square = |(x, _): &(f64, f64)| (x - x_mean).powi(2);
    let squares: f64 = logs.iter().map(square).sum();
    (squares > 0.0).then(|| logs.iter().map(product).sum::<f64>() / squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_found_and_a_single_point_has_none() {
        for power in [0.0, 0.5, 1.0, 2.0] {
            let points = [1.0, 3.0, 10.0, 200.0].map(|x: f64| (x, 7.0 * x.powf(power)));
            let found = slope(points).unwrap();
            assert!((found - power).abs() < 1e-9, "{found} {power}");
        }
        assert_eq!(slope([(3.0, 1.0), (3.0, 2.0)]), None);
        assert_eq!(slope([]), None);
    }
}
