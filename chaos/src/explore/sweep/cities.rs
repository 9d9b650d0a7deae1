//! Where the nodes of a wide-area network stand, and how long light takes between them.
//!
//! These are typical values computed from distance, not measurements: great-circle distance times 1.5, since cables do not
//! run straight, at 5 µs/km, which is the speed of light in glass. On top of it comes jitter.

/// A place on Earth, in degrees.
#[derive(Debug, Clone, Copy)]
pub(super) struct City {
    pub(super) name: &'static str,
    latitude: f64,
    longitude: f64,
}

const fn city(name: &'static str, latitude: f64, longitude: f64) -> City {
    City {
        name,
        latitude,
        longitude,
    }
}

/// Greater Toronto: the master's client, the slave's, and the hubs.
pub(super) const METRO: ([City; 2], [City; 5]) = (
    [
        city("Toronto", 43.65, -79.38),
        city("Mississauga", 43.59, -79.64),
    ],
    [
        city("North York", 43.77, -79.41),
        city("Markham", 43.86, -79.34),
        city("Brampton", 43.73, -79.76),
        city("Pickering", 43.84, -79.09),
        city("Hamilton", 43.26, -79.87),
    ],
);

/// North America, with hubs where a large cloud provider has regions.
pub(super) const CONTINENTAL: ([City; 2], [City; 5]) = (
    [
        city("Toronto", 43.65, -79.38),
        city("Vancouver", 49.28, -123.12),
    ],
    [
        city("Montreal", 45.50, -73.57),
        city("Columbus", 39.96, -83.00),
        city("Ashburn", 39.04, -77.49),
        city("San Francisco", 37.77, -122.42),
        city("Boardman", 45.84, -119.70),
    ],
);

/// Around the globe.
pub(super) const INTERCONTINENTAL: ([City; 2], [City; 5]) = (
    [city("London", 51.51, -0.13), city("Tokyo", 35.68, 139.69)],
    [
        city("Frankfurt", 50.11, 8.68),
        city("Ashburn", 39.04, -77.49),
        city("Singapore", 1.35, 103.82),
        city("Sydney", -33.87, 151.21),
        city("São Paulo", -23.55, -46.63),
    ],
);

/// Mean radius of the Earth (IUGG).
const EARTH_KM: f64 = 6_371.0;

/// How much longer a cable is than the way is.
pub(super) const ROUTE_FACTOR: f64 = 1.5;

/// Light in glass, whose refractive index is about 1.5.
pub(super) const MS_PER_KM: f64 = 0.005;

/// Mean jitter: a part of the way, since longer ones pass more routers, and a little anyway.
const JITTER_SHARE: f64 = 0.02;
/// See [`JITTER_SHARE`].
const JITTER_MS: f64 = 0.02;

/// Along a great circle (haversine).
pub(super) fn distance_km(a: City, b: City) -> f64 {
    let (phi_a, phi_b) = (a.latitude.to_radians(), b.latitude.to_radians());
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let h =
        half(a.latitude, b.latitude) + phi_a.cos() * phi_b.cos() * half(a.longitude, b.longitude);
    2.0 * EARTH_KM * h.sqrt().asin()
}

/// How long light takes.
pub(super) fn one_way_ms(a: City, b: City) -> f64 {
    distance_km(a, b) * ROUTE_FACTOR * MS_PER_KM
}

/// Mean of what comes on top of it, distributed exponentially.
pub(super) fn jitter_ms(one_way_ms: f64) -> f64 {
    JITTER_SHARE * one_way_ms + JITTER_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_an_atlas() {
        let ([london, tokyo], [frankfurt, ashburn, ..]) = INTERCONTINENTAL;
        for (a, b, km) in [
            (london, tokyo, 9_560.0),
            (london, frankfurt, 637.0),
            (london, ashburn, 5_920.0),
        ] {
            let found = distance_km(a, b);
            assert!(
                (found / km - 1.0).abs() < 0.01,
                "{} {}: {found}",
                a.name,
                b.name
            );
        }
        assert_eq!(distance_km(london, london), 0.0);
        assert!((one_way_ms(london, tokyo) - 71.7).abs() < 0.7);
    }
}
